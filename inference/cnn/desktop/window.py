"""The window: slices on the left, findings on the right; the reading runs in a thread of its own."""

from __future__ import annotations

import queue
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, messagebox, ttk

from PIL import ImageTk

from inference.cnn.desktop import rows
from inference.cnn.desktop.drawing import outlines_of, slice_picture
from inference.cnn.desktop.reading import Event, Failed, Finished, Opened, Progress, Reader
from inference.cnn.desktop.saving import write
from inference.cnn.desktop.source import Scan, Source
from inference.cnn.reading import VolumeReading
from inference.cnn.slices.read import PictureReading

TITLE = "LungPortal"
GROUND, SURFACE, LINE = "#0a0d12", "#10151c", "#232d3a"
TEXT, DIM, ACCENT = "#dbe3ec", "#9aa9ba", "#58b6ff"
LOOK_EVERY_MS = 60
WINDOWS = ("lung", "mediastinum", "bone", "wide_lung")
WIDTHS = (44, 54, 110, 84, 96, 84, 108, 70, 140)
START = "Open a folder of DICOM, a .mhd or .nii file, or one picture.   Ctrl+O folder, Ctrl+P file"
KINDS = [
    ("Scans and pictures", "*.mhd *.mha *.nii *.nii.gz *.dcm *.png *.jpg *.jpeg *.bmp *.tif *.tiff"),
    ("All files", "*"),
]


class MainWindow:
    """One scan or picture at a time. `open` may be called with a path, as the command line does."""

    def __init__(self, root: tk.Tk) -> None:
        self.root, self.reader = root, Reader()
        self.source: Source | None = None
        self.reading: VolumeReading | PictureReading | None = None
        self.index = 0
        self._photo: ImageTk.PhotoImage | None = None
        self._style()
        self._bar()
        self._body()
        self._keys()
        self._tell(START)
        root.after(LOOK_EVERY_MS, self._look)

    def open(self, path: Path) -> None:
        """Open and read a path."""
        self.source, self.reading = None, None
        self.table.delete(*self.table.get_children())
        self._allow_saving(False)
        self.canvas.delete("all")
        self.root.title(f"{path.name} – {TITLE}")
        self.reader.start(path)

    def show(self, index: int) -> None:
        """Go to a slice; beyond the ends it stays at the end."""
        if self.source is None:
            return
        self.index = min(max(index, 0), self.source.slices - 1)
        self.scale.set(self.index)
        self._draw()

    def _style(self) -> None:
        self.root.title(TITLE)
        self.root.geometry("1240x760")
        self.root.minsize(760, 480)
        self.root.configure(bg=GROUND)
        style = ttk.Style(self.root)
        style.theme_use("clam")
        style.configure(".", background=SURFACE, foreground=TEXT, bordercolor=LINE, fieldbackground=GROUND)
        style.configure(".", troughcolor=GROUND, arrowcolor=DIM, lightcolor=SURFACE, darkcolor=SURFACE)
        style.configure("TButton", padding=(10, 4))
        style.map("TButton", background=[("active", LINE)], foreground=[("disabled", "#55606c")])
        style.map("TCombobox", fieldbackground=[("readonly", GROUND)], foreground=[("readonly", TEXT)])
        style.configure("Treeview", background=SURFACE, fieldbackground=SURFACE, rowheight=26, borderwidth=0)
        style.map("Treeview", background=[("selected", "#0f2233")], foreground=[("selected", ACCENT)])
        style.configure(
            "Treeview.Heading",
            background=SURFACE,
            foreground=DIM,
            relief="flat",
            padding=4,
            font="TkDefaultFont",
        )
        style.configure("TProgressbar", background=ACCENT, thickness=6)

    def _bar(self) -> None:
        bar = ttk.Frame(self.root, padding=8)
        bar.pack(fill="x")
        self._button(bar, "Open folder", self._choose_folder)
        self._button(bar, "Open file", self._choose_file)
        self.save_pdf = self._button(bar, "Save PDF", lambda: self._save("pdf"))
        self.save_csv = self._button(bar, "Save CSV", lambda: self._save("csv"))
        self.preset = ttk.Combobox(bar, values=WINDOWS, state="readonly", width=13)
        self.preset.set(WINDOWS[0])
        self.preset.pack(side="left", padx=8)
        self.preset.bind("<<ComboboxSelected>>", lambda _: self._draw())
        self.outlined = tk.BooleanVar(value=True)
        ttk.Checkbutton(bar, text="Outlines", variable=self.outlined, command=self._draw).pack(side="left")
        ttk.Label(bar, text="Research use only. A radiologist decides.", foreground=DIM).pack(side="right")
        self._allow_saving(False)

    def _button(self, parent: ttk.Frame, text: str, act: Callable[[], None]) -> ttk.Button:
        button = ttk.Button(parent, text=text, command=act)
        button.pack(side="left", padx=(0, 6))
        return button

    def _body(self) -> None:
        foot = ttk.Frame(self.root, padding=(8, 6))
        foot.pack(side="bottom", fill="x")
        self.progress = ttk.Progressbar(foot, maximum=1.0, length=220)
        self.said = ttk.Label(foot, foreground=DIM)
        self.said.pack(side="left")
        split = ttk.PanedWindow(self.root, orient="horizontal")
        split.pack(fill="both", expand=True, padx=8)
        split.add(self._stage(split), weight=3)
        split.add(self._findings(split), weight=2)

    def _stage(self, parent: ttk.PanedWindow) -> ttk.Frame:
        stage = ttk.Frame(parent)
        self.canvas = tk.Canvas(stage, bg="#000", highlightthickness=0, width=700, height=560)
        self.scale = ttk.Scale(stage, orient="vertical", command=self._scrolled)
        self.scale.pack(side="right", fill="y", padx=(4, 8))
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<Configure>", lambda _: self._draw())
        return stage

    def _findings(self, parent: ttk.PanedWindow) -> ttk.Frame:
        side = ttk.Frame(parent)
        self.summary = ttk.Label(side, wraplength=460, justify="left", padding=(0, 2, 0, 8))
        self.summary.pack(fill="x")
        self.table = ttk.Treeview(side, columns=rows.SHOWN, show="headings", selectmode="browse")
        across = ttk.Scrollbar(side, orient="horizontal", command=self.table.xview)
        self.table.configure(xscrollcommand=across.set)
        for name, width in zip(rows.SHOWN, WIDTHS, strict=True):
            self.table.heading(name, text=name, anchor="w")
            self.table.column(name, width=width, minwidth=width, stretch=False)
        across.pack(side="bottom", fill="x")
        self.table.pack(fill="both", expand=True)
        self.table.bind("<<TreeviewSelect>>", self._chosen)
        return side

    def _keys(self) -> None:
        self.root.bind("<Control-o>", lambda _: self._choose_folder())
        self.root.bind("<Control-p>", lambda _: self._choose_file())
        self.root.bind("<Up>", lambda _: self.show(self.index - 1))
        self.root.bind("<Down>", lambda _: self.show(self.index + 1))
        self.canvas.bind("<MouseWheel>", lambda e: self.show(self.index - (1 if e.delta > 0 else -1)))
        self.canvas.bind("<Button-4>", lambda _: self.show(self.index - 1))  # X11 has no wheel event
        self.canvas.bind("<Button-5>", lambda _: self.show(self.index + 1))
        self.root.protocol("WM_DELETE_WINDOW", self._close)

    def _close(self) -> None:
        self.reader.stop()
        self.root.destroy()

    def _choose_folder(self) -> None:
        if chosen := filedialog.askdirectory(title="A folder with the DICOM files of one scan"):
            self.open(Path(chosen))

    def _choose_file(self) -> None:
        if chosen := filedialog.askopenfilename(title="A scan or a picture", filetypes=KINDS):
            self.open(Path(chosen))

    def _look(self) -> None:
        """Take what the reading has to say, then come back later."""
        try:
            while True:
                self._take(self.reader.events.get_nowait())
        except queue.Empty:
            self.root.after(LOOK_EVERY_MS, self._look)

    def _take(self, event: Event) -> None:
        match event:
            case Progress(stage, part):
                self._tell(f"{stage.capitalize()} …", part)
            case Opened(source):
                self.source = source
                self.scale.configure(from_=0, to=max(source.slices - 1, 1))
                self.show(source.slices // 2)
            case Finished(_, reading):
                self._finished(reading)
            case Failed(sentence):
                self._tell(sentence)
                messagebox.showerror(TITLE, sentence)

    def _finished(self, reading: VolumeReading | PictureReading) -> None:
        self.reading = reading
        self.summary.configure(text=rows.summary(reading))
        for number, row in enumerate(rows.shown_rows(reading)):
            self.table.insert("", "end", iid=str(number), values=row.cells)
        self._allow_saving(True)
        self._tell(f"Read in {sum(reading.timings_s.values()):.1f} s. Scroll with the wheel or ↑ ↓.")
        first = self.table.get_children()
        if first:
            self.table.selection_set(first[0])
        self._draw()

    def _tell(self, text: str, part: float | None = None) -> None:
        self.said.configure(text=text)
        if part is None:
            self.progress.pack_forget()
            return
        self.progress.pack(side="left", padx=(0, 12), before=self.said)
        self.progress["value"] = part

    def _allow_saving(self, allowed: bool) -> None:
        for button in (self.save_pdf, self.save_csv):
            button.state(["!disabled" if allowed else "disabled"])

    def _chosen(self, _: object) -> None:
        if self.reading is not None and (chosen := self.table.selection()):
            self.show(rows.shown_rows(self.reading)[int(chosen[0])].slice_index)

    def _scrolled(self, value: str) -> None:
        if round(float(value)) != self.index:
            self.show(round(float(value)))

    def _draw(self) -> None:
        if self.source is None:
            return
        box = (max(self.canvas.winfo_width(), 32), max(self.canvas.winfo_height(), 32))
        lines = outlines_of(self.reading, self.index) if self.outlined.get() else []
        self._photo = ImageTk.PhotoImage(
            slice_picture(self.source, self.index, self.preset.get(), box, lines)
        )
        self.canvas.delete("all")
        self.canvas.create_image(box[0] / 2, box[1] / 2, image=self._photo)
        if isinstance(self.source, Scan):
            words = f"{self.index + 1} / {self.source.slices}"
            self.canvas.create_text(10, 10, text=words, anchor="nw", fill="#d5dee8")

    def _save(self, kind: str) -> None:
        if self.source is None or self.reading is None:
            return
        name = filedialog.asksaveasfilename(defaultextension=f".{kind}", initialfile=f"findings.{kind}")
        if not name:
            return
        try:
            write(self.source, self.reading, Path(name))
        except OSError as error:
            messagebox.showerror(TITLE, f"The file could not be written: {error.strerror}.")
        else:
            self._tell(f"Saved as {Path(name).name}.")


def run(path: Path | None) -> None:
    """Show the window until it is closed."""
    root = tk.Tk(className=TITLE)
    window = MainWindow(root)
    if path is not None:
        window.open(path)
    root.mainloop()
