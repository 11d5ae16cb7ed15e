// The slider that puts outliers into none of these, and what it costs.
import { button, make, thousands } from "./elements.js";
import { thresholdCost } from "./marks.js";
import { percentRange } from "./shares.js";

const STEPS = 200;
const REST = 500; // milliseconds

export class ThresholdSlider {
  // `trusted`: {scores, low, high, apart, left_out}: outlier scores of trusted images, the interval of each number of false
  // alarms, whether their micrographs were held out whole, and how many held-out images are not among them as they were moved.
  constructor(place, scores, trusted, set, readonly) {
    Object.assign(this, { scores, trusted, set, origin: null });
    const finite = Float64Array.from(scores).filter(Number.isFinite).sort();
    // Most outliers lie in the last percents, so the slider's steps are shares of particles, not scores.
    this.values = finite.length ? Array.from({ length: STEPS }, (_, i) => finite[Math.floor((1 - (1 - i / STEPS) ** 2) * (finite.length - 1))]) : [];
    this.slider = make("input", {
      type: "range", min: 0, max: STEPS, step: 1, "aria-label": "Outlier threshold", disabled: readonly || !finite.length,
      oninput: () => this.tell(this.chosen), onchange: () => this.setSoon(),
    });
    this.off = button("No threshold", () => set(null), { disabled: readonly });
    this.words = make("p", { class: "cost", "aria-live": "polite" });
    place.replaceChildren(make("label", { class: "threshold" }, make("span", { textContent: "Beyond outlier score" }), this.slider),
      this.words, readonly ? "" : this.off);
  }

  // Arrow keys change it step by step; what they come to rest at is one change.
  setSoon() {
    clearTimeout(this.setting);
    this.setting = setTimeout(() => this.set(this.chosen), REST);
  }

  get chosen() {
    const at = Number(this.slider.value);
    return at >= STEPS ? null : this.values[at];
  }

  show(threshold, origin) {
    this.origin = origin;
    let at = STEPS;
    if (threshold !== null && this.values.length) {
      at = this.values.findIndex((value) => value >= threshold - 1e-9);
      if (at < 0) at = STEPS - 1;
    }
    if (document.activeElement !== this.slider || this.chosen !== threshold) this.slider.value = String(at);
    this.off.hidden = threshold === null;
    this.tell(threshold);
  }

  tell(threshold) {
    const said = costText(thresholdCost(this.scores, this.origin, threshold, this.trusted.scores), threshold, this.trusted);
    this.words.textContent = said;
    this.slider.setAttribute("aria-valuetext", threshold === null ? "no threshold" : said);
  }
}

export function costText({ judged, beyond, alarms }, threshold, { scores, low, high, apart, left_out }) {
  if (threshold === null) return "No threshold: no outlier score puts a particle here.";
  const score = Number(threshold.toPrecision(3));
  const first = `${thousands(beyond)} of ${thousands(judged)} particles beyond ${score}.`;
  const moved = left_out ? ` ${thousands(left_out)} held-out, moved by hand, left out.` : "";
  if (!scores.length) {
    const lacking = moved ? "no image whose label nobody corrected was held out" : "no labelled image was held out";
    return `${first} How many good particles that costs is not known: ${lacking}.${moved}`;
  }
  const which = apart ? "held-out images of known class, from micrographs held out whole" : "held-out images of known class";
  // More false alarms than particles beyond: what is held out is unlike the others.
  const unlike = low[alarms] * judged > beyond ? " These score higher than the others, so the rate is not that of the others." : "";
  return `${first} False alarm for ${thousands(alarms)} of ${thousands(scores.length)} ${which} (${percentRange(low[alarms], high[alarms])}).${unlike}${moved}`;
}
