"""The explorer of particles: a table and sheets of pictures for the browser, and the script that shows them."""
