// What is said of the particle under the pointer, beside it.
import { make } from "./elements.js";
import { turnTile } from "./sprites.js";

export class Tip {
  constructor(look, model) {
    Object.assign(this, { look, model });
    this.picture = make("span", { class: "tile" });
    this.words = make("span", { class: "words" });
    this.element = make("div", { class: "tip", hidden: true }, make("span", { class: "frame" }, this.picture), this.words);
  }

  // Show it at a place of the map; `other` where the particle is not the one it was last about.
  show(row, place, other) {
    const { element, picture, look } = this;
    element.hidden = row < 0 || !place;
    if (row < 0) return;
    if (other) {
      look.sprites.show(picture, row);
      turnTile(picture, look.turn(row));
      this.words.textContent = look.lines(row, this.model).join("\n");
      element.classList.toggle("bare", look.sprites.none);
    }
    if (!place) return;
    const { clientWidth, clientHeight } = element.parentNode;
    element.classList.toggle("leftwards", place[0] > clientWidth / 2);
    element.classList.toggle("upwards", place[1] > clientHeight / 2);
    Object.assign(element.style, { left: `${place[0]}px`, top: `${place[1]}px` });
  }
}
