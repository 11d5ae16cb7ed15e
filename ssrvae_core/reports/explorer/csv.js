// The table of some particles as CSV, a row per particle and model, in the columns of the Latent space page's own tables.

// A cell as it stands; one with a comma, a quote or a line's end in quotes, and none that a spreadsheet takes for a formula.
export function cell(value) {
  if (value === null || value === undefined || value !== value) return "";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  const text = /^'*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf(table, rows) {
  const { columns, classes } = table;
  const dims = Math.max(...table.models.map((model) => model.dims));
  const latents = Array.from({ length: dims }, (_, d) => `z_${d + 1}`);
  const header = [
    "id", "run", "model", "name", "group", "part", "label", "class", ...classes.map((name) => `p_${name}`),
    "angle_degrees", "confidence", "outlier_score", "size", "size_unit", ...latents,
  ];
  const groupOf = (group) => (group === undefined || group < 0 ? "" : table.groupsNamed ? table.groups[group] : String(group));
  const lines = [header.map(cell).join(",")];
  for (const row of rows) {
    table.models.forEach((model, m) => {
      const of = (name) => columns[`${m}/${name}`]?.[row];
      const z = latents.map((_, d) => (d < model.dims ? columns[`${m}/z`][row * model.dims + d] : null));
      lines.push([
        table.ids[row], model.run, model.title, columns.names?.[row], groupOf(columns.group?.[row]),
        table.parts[columns.part[row]].toLowerCase(), classes[columns.label[row]] ?? "", classes[of("predicted")], ...table.probabilities(m, row),
        of("angle"), of("confidence"), of("outlier"), columns.size?.[row], table.sizeUnit, ...z,
      ].map(cell).join(","));
    });
  }
  return `${lines.join("\n")}\n`;
}

export function save(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
