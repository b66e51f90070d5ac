// The page that takes a single image: choosing or dropping one sends it at once.

const form = document.getElementById("image-form");
const input = document.getElementById("file");
const drop = document.getElementById("drop");

if (form instanceof HTMLFormElement && input instanceof HTMLInputElement && drop) {
  document.documentElement.classList.add("scripted");
  input.addEventListener("change", () => { if (input.files?.length) form.requestSubmit(); });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = event.dataTransfer?.files;
    if (!files?.length) return;
    input.files = files;
    form.requestSubmit();
  });
  form.addEventListener("submit", () => drop.setAttribute("aria-busy", "true"));
}
