// What the pages of the console do in the browser: times in the reader's zone, changes as JSON, and news of a run.
// Without it every page is readable; changing something needs it, since only JSON changes anything.
(() => {
  "use strict";

  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || time.dataset.local) continue;
      time.dataset.local = "1";
      time.title = time.textContent;
      time.textContent = zone.format(at);
    }
  }

  function say(text, isBad) {
    const line = document.createElement("p");
    line.textContent = text;
    line.className = isBad ? "bad" : "";
    document.getElementById("said").replaceChildren(line);
  }

  // A form's fields as the body of a change. Dots in a name are levels: `incident.worker_id`. data-json: the field is JSON itself.
  function bodyOf(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || (field.value === "" && !field.required)) continue;
      if (field.dataset.json !== undefined) return JSON.parse(field.value);
      body[field.name] = field.type === "number" || field.dataset.number !== undefined ? Number(field.value) : field.value;
    }
    return body;
  }

  async function change(form, button) {
    let body;
    try {
      body = bodyOf(form);
    } catch (error) {
      say(`The text is not JSON: ${error.message}`, true);
      return;
    }
    button.disabled = true;
    try {
      const answer = await fetch(form.dataset.url, {
        method: form.dataset.method || "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: form.dataset.method === "DELETE" ? undefined : JSON.stringify(body),
      });
      const told = await answer.json().catch(() => ({}));
      if (!answer.ok) {
        const faults = (told.errors || []).map((fault) => `${fault.field || fault.pointer || ""}: ${fault.message || fault.detail || ""}`);
        say([told.detail || told.title || `The change was refused (${answer.status})`, ...faults].join(" · "), true);
        return;
      }
      const target = form.dataset.show && document.getElementById(form.dataset.show);
      if (target) target.textContent = JSON.stringify(told, null, 2);
      const next = form.dataset.next && form.dataset.next.replace("{incident_id}", encodeURIComponent(told.incident_id || ""));
      if (next) {
        window.location.assign(next);
        return;
      }
      say(told.message || "Done");
      if (!target) document.body.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
    } catch (error) {
      say(`No answer: ${error.message}`, true);
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.url) return;
    event.preventDefault();
    const question = form.dataset.ask;
    if (question && !window.confirm(question)) return;
    change(form, event.submitter || form.querySelector("button"));
  });

  // A home that streams tells of each event at once; otherwise the page asks every few seconds.
  function follow() {
    const run = document.querySelector("[data-stream]");
    if (!run || !window.EventSource) return;
    const stream = new EventSource(run.dataset.stream);
    let pending = 0;
    const tell = () => {
      window.clearTimeout(pending);
      pending = window.setTimeout(() => document.body.dispatchEvent(new CustomEvent("news", { bubbles: true })), 150);
    };
    stream.addEventListener("run_event", tell);
    stream.addEventListener("run_ended", () => { tell(); stream.close(); });
    stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) stream.close(); };
  }

  document.addEventListener("DOMContentLoaded", () => { localTimes(document); follow(); });
  document.addEventListener("htmx:afterSwap", (event) => localTimes(event.target));
  // Who is in the middle of a form keeps it: the page is fresh again afterwards.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const at = document.activeElement;
    const isWriting = at && event.detail.elt.contains(at) && ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName);
    if (isWriting && event.detail.requestConfig.triggeringEvent && event.detail.requestConfig.triggeringEvent.type !== "changed") event.preventDefault();
  });
})();
