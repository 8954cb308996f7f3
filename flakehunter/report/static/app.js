(() => {
  "use strict";
  document.documentElement.classList.add("js");

  // Filters: every word must stand in the row; a chosen mechanism must be the row's own.
  for (const form of document.querySelectorAll(".find")) {
    const table = document.getElementById(form.dataset.table);
    const search = form.querySelector("input");
    const choices = [...form.querySelectorAll("select")];
    const told = form.querySelector("output");
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      let shown = 0;
      for (const row of rows) {
        row.text ??= row.textContent.toLowerCase();
        const fits = words.every((word) => row.text.includes(word)) &&
          choices.every((choice) => !choice.value || row.dataset[choice.name] === choice.value);
        row.hidden = !fits;
        shown += fits;
      }
      told.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", apply);
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
