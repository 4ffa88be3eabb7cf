"""What changed from bundle to bundle: a file that every bundle carries on from the one that it was made from."""

from pathlib import Path

from deploy.bundle import (
    CHANGES,
    MANIFEST,
    BundleError,
    check_manifest,
    file_record,
    models_of,
    read_manifest,
    write_manifest,
)
from deploy.card import CONDITIONS, flatten, without_conditions
from scenes.files import file_sha256, write_whole

TITLE = "# Changes"
# Checks of a parity report that a reader of the changes wants to see.
TOLD = ("corners of", "equal mask pixels", "same side of", "relative difference")


def predecessor(folder):
    """(manifest, its sha256, its changes so far) of the bundle in `folder`; None where there is none that can be read.

    A bundle that is replaced because it is damaged is no reason not to write a new one.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = read_manifest(folder)
        check_manifest(manifest, path)
        record = manifest.get("changes")
        so_far = (Path(folder) / record["file"]).read_text(encoding="utf-8") if record else ""
        return manifest, file_sha256(path), so_far
    except (BundleError, OSError, UnicodeDecodeError):
        return None


def record_changes(folder, command, before, report):
    """Writes the changes of the bundle in `folder` since `before` (of `predecessor`, or None) and names them in its
    manifest. command: that made it. report: the parity Report of the bundle. Raises BundleError and OSError."""
    manifest = read_manifest(folder)
    after = {key: value for key, value in manifest.items() if key not in ("changes", "made_from")}
    heading, so_far = f"## `{command}`", ""
    if before is None:
        lines = [f"first bundle of {', '.join(models_of(after))}"]
    else:
        older, digest, so_far = before
        heading += f", from the bundle of {older.get('created', 'an unknown day')} (manifest {digest[:12]})"
        after["made_from"] = {"created": older.get("created"), "manifest_sha256": digest}
        lines = changes(older, after) or ["nothing that a manifest tells"]
    lines += [f"now {row.model} {row.precision} against the framework: {row.check} {row.value:.4g} {row.unit}".rstrip()
              for row in report.rows if row.runtime == "OpenVINO" and row.check.startswith(TOLD)]
    text = "\n".join([TITLE, "", heading, "", *(f"- {line}" for line in lines), ""])
    write_whole(Path(folder) / CHANGES, (text + so_far.removeprefix(TITLE + "\n")).encode())
    write_manifest(folder, after | {"changes": file_record(folder, CHANGES)})


def changes(before, after):
    """What a reader of the manifest `after` should know who knows `before`: list of lines, [] for the same bundle."""
    lines = []
    old, new = models_of(before), models_of(after)
    for model in dict.fromkeys((*new, *old)):
        if model not in old:
            lines.append(f"{model}: new, {after['models'][model].get('architecture', 'of an unknown kind')}")
        elif model not in new:
            lines.append(f"{model}: left out")
        else:
            lines += [f"{model}: {line}" for line in _model_changes(before["models"][model], after["models"][model])]
    if before["golden"]["sha256"] != after["golden"]["sha256"]:
        lines.append("golden data: others")
    return lines + _differences("versions: ", before.get("versions", {}), after.get("versions", {}))


def _model_changes(before, after):
    """Lines on one network, from its two manifest entries."""
    old, new = before["variants"], after["variants"]
    lines = [f"{precision} added{_made_of(new[precision])}" for precision in new if precision not in old]
    lines += [f"{precision} left out" for precision in old if precision not in new]
    hashes = {precision: [[files[precision][part]["sha256"] for part in ("xml", "bin")] for files in (old, new)]
              for precision in new if precision in old}
    lines += [f"{precision} is another file{_made_of(new[precision])}" for precision, pair in hashes.items()
              if pair[0] != pair[1]]
    for key, what in (("default_precision", "measures in"), ("architecture", "is"), ("input", "input: "),
                      ("output", "output: "), ("trained_on", "trained on: "), ("calibration", "calibration: ")):
        pair = [_table(entry.get(key), what) for entry in (before, after)]
        lines += _differences("" if what[-1] != " " else what, *pair)
    return lines + _accuracy_changes(before.get("accuracy") or {}, after.get("accuracy") or {})


def _accuracy_changes(before, after):
    """Lines on what a network reached before and after, an evaluation of one alone in one line."""
    lines = []
    for data in {**before, **after}:
        if data not in before or data not in after:
            lines.append(f"accuracy on {data}: {'no longer told' if data in before else 'told for the first time'}")
            continue
        old, new = before[data], after[data]
        lines += _differences(f"accuracy on {data}: ", without_conditions(old), without_conditions(new))
        old, new = (dict(flatten(figures.get(CONDITIONS) or {})) for figures in (old, new))
        if old != new:
            names = {**old, **new}
            count = sum(old.get(name) != new.get(name) for name in names)
            told = f"{count} of {len(names)} figures changed" if old else "told for the first time"
            lines.append(f"accuracy by condition on {data}: {told}, see the card")
    return lines


def _table(value, name):
    """A part of a manifest entry as a flat dict; of a calibration, its long tables are left out."""
    if isinstance(value, dict):
        return {key: one for key, one in value.items() if key not in ("scores", "probabilities")}
    return {} if value is None else {name: value}


def _differences(prefix, before, after):
    """"prefix name new, before old" for every entry of two nested dicts that is not the same in both."""
    old, new = dict(flatten(before)), dict(flatten(after))

    def told(values, name):
        value = values.get(name, "not told")
        return value[:12] if name.endswith("sha256") and name in values else value

    return [f"{prefix}{name} {told(new, name)}, before {told(old, name)}"
            for name in {**old, **new} if old.get(name) != new.get(name)]


def _made_of(variant):
    told = variant.get("quantized")
    return f", quantized from {told['from']} on {told['images']} images" if told else ""
