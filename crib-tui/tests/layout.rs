//! What ARCHITECTURE.md says of the modules: in which order they stand, and which borders are kept.

use std::fs;
use std::path::{Path, PathBuf};

/// Each imports only from those before it.
const ORDER: [&str; 16] = [
    "privileges",
    "kcmp",
    "decode",
    "model",
    "procfs",
    "kernel",
    "source",
    "stacks",
    "watch",
    "export",
    "tui",
    "bench",
    "cli",
    "settings",
    "failure",
    "command",
];

/// The files below a place, each with the module that it is part of.
fn sources(place: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each line of code, with the module that it is part of.
fn lines(each: &mut dyn FnMut(&str, &Path, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    for path in found {
        let inner = path.strip_prefix(&root).unwrap();
        let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            each(first.trim_end_matches(".rs"), inner, line);
        }
    }
}

/// What follows `crate::` in a line: names of modules.
fn imports(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .flat_map(|import| match import.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![import],
        })
        .map(|text| {
            let text = text.trim_start();
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            text.split(|c| !is_name(c)).next().unwrap_or_default()
        })
        .collect()
}

#[test]
fn modules_import_from_those_before_them_alone() {
    let place = |module: &str| ORDER.iter().position(|known| *known == module);
    let mut seen = 0;
    lines(&mut |module, path, line| {
        let Some(own) = place(module) else { return };
        for other in imports(line).into_iter().filter_map(place) {
            assert!(other <= own, "{}: {line}", path.display());
            seen += usize::from(other < own);
        }
    });
    assert!(seen > 100, "{seen} imports: they are not found any more");
    let page = include_str!("../../ARCHITECTURE.md").replace('\n', " ");
    let listed = ORDER.map(|module| format!("`{module}`")).join(", ");
    assert!(page.contains(&listed), "ARCHITECTURE.md has not: {listed}");
}

#[test]
fn each_border_is_kept() {
    let code = [
        ("aya", &["aya::", "aya_obj::"][..], &["kernel"][..]),
        ("a terminal", &["ratatui::", "crossterm::"], &["tui"]),
        ("unsafe", &["unsafe {", "unsafe fn", "unsafe impl"], &["kernel", "kcmp"]),
    ];
    for (what, texts, places) in code {
        let mut seen = 0;
        lines(&mut |module, path, line| {
            if texts.iter().any(|text| line.contains(text)) {
                assert!(places.contains(&module), "{what} in {}: {line}", path.display());
                seen += 1;
            }
        });
        assert!(seen > 0, "{what} is not found any more");
    }
}
