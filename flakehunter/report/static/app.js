(() => {
  "use strict";
  document.documentElement.classList.add("js");

  // Filters: every word must stand in the row, and a chosen word must be the row's own. They are kept behind the
  // page's #?, so that a filtered page can be sent to someone without a server that would understand it.
  for (const form of document.querySelectorAll(".find")) {
    const tables = form.dataset.tables.split(" ").map((id) => document.getElementById(id)).filter(Boolean);
    const fields = [...form.querySelectorAll("input, select")];
    const told = form.querySelector("output");
    const fits = (row, words, choices) => {
      row.words ??= `${row.dataset.text ?? ""} ${row.textContent} ${row.dataset.owner ?? ""}`.toLowerCase();
      return words.every((word) => row.words.includes(word)) &&
        choices.every((choice) => (row.dataset[choice.name] ?? "").split(" ").includes(choice.value));
    };
    const apply = () => {
      const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      const choices = fields.filter((field) => field.tagName === "SELECT" && field.value);
      tables.forEach((table, place) => {
        let shown = 0;
        for (const row of table.tBodies[0].rows) {
          row.hidden = !fits(row, words, choices);
          shown += !row.hidden;
        }
        const all = table.tBodies[0].rows.length;
        if (place === 0) told.textContent = shown === all ? "" : `${shown} of ${all}`;
      });
    };
    const keep = () => {
      const chosen = fields.filter((field) => field.value).map((field) => [field.name, field.value]);
      const wanted = chosen.length ? `#?${new URLSearchParams(chosen)}` : " ";
      if (chosen.length || location.hash.startsWith("#?")) history.replaceState(null, "", wanted.trim() || "#");
    };
    const read = () => {
      if (!location.hash.startsWith("#?")) return;
      const given = new URLSearchParams(location.hash.slice(2));
      for (const field of fields) field.value = given.get(field.name) ?? "";
      apply();
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { apply(); keep(); });
    form.addEventListener("reset", () => setTimeout(() => { apply(); keep(); }));
    addEventListener("hashchange", read);
    read();
    apply();
  }

  // Copy buttons exist only where there is a script to serve them.
  for (const block of document.querySelectorAll(".copyable")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(block.querySelector("pre"));
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
})();
