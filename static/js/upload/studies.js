// The studies that the files belong to: open one, or say that all of it has come.
import { notify } from "../app.js";

export class Studies {
  /** @type {Map<string, { url: string, count: number, done: boolean }>} */
  #found = new Map();

  /** @param {HTMLElement} place @param {{ complete: string, csrf: () => string }} road */
  constructor(place, road) {
    this.place = place;
    this.road = road;
  }

  /** @param {{ study_instance_uid: string | null, study_url: string | null }} line */
  note(line) {
    if (!line.study_instance_uid || !line.study_url) return;
    const study = this.#found.get(line.study_instance_uid) ?? { url: line.study_url, count: 0, done: false };
    study.count += 1;
    this.#found.set(line.study_instance_uid, study);
  }

  /** @param {boolean} busy whether files are still on their way */
  draw(busy) {
    for (const [uid, study] of this.#found) {
      const id = `study-${uid}`;
      const entry = document.getElementById(id) ?? this.#entry(id, uid, study);
      entry.querySelector("[data-count]").textContent = `${study.count} image${study.count === 1 ? "" : "s"}`;
      entry.querySelector("button").disabled = busy || study.done;
    }
  }

  #entry(id, uid, study) {
    const entry = document.createElement("li");
    entry.id = id;
    const link = Object.assign(document.createElement("a"), { className: "strong link", href: study.url, textContent: "Open the study" });
    const count = Object.assign(document.createElement("span"), { className: "dim" });
    count.dataset.count = "";
    const space = Object.assign(document.createElement("span"), { className: "spring" });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn primary", textContent: "Finished: read it now" });
    button.addEventListener("click", () => this.#complete(uid, study, button));
    entry.append(link, count, space, button);
    this.place.append(entry);
    return entry;
  }

  async #complete(uid, study, button) {
    button.disabled = true;
    try {
      const answer = await fetch(`${this.road.complete}${uid}/complete/`, { method: "POST", headers: { "X-CSRFToken": this.road.csrf(), Accept: "application/json" } });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `The portal answered with an error (${answer.status}).`);
      study.done = true;
      button.textContent = "✓ it is being read";
    } catch (error) {
      button.disabled = false;
      notify(error instanceof TypeError ? "The portal cannot be reached; try again." : error.message);
    }
  }
}
