//! The columns that a table can have, as `--list-columns` prints them.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::table::{Layout, write_cells};
use crate::model::column::{Align, ColumnKind, Table};

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    help: &'static str,
    /// Whether it is shown where nobody says otherwise.
    default: bool,
}

fn entries<T: Table>() -> impl Iterator<Item = Entry> {
    T::columns().iter().map(|column| Entry {
        name: column.name,
        kind: match column.kind {
            ColumnKind::Bytes => "number of bytes",
            ColumnKind::Seconds => "number of seconds",
            kind => kind.name(),
        },
        help: column.help,
        default: T::default_names().contains(&column.name),
    })
}

/// Prints them as a table.
///
/// # Errors
/// Those of writing.
pub fn list<T: Table>(out: &mut impl Write, layout: Layout) -> io::Result<()> {
    let headings = ["COLUMN", "TYPE", "DESCRIPTION"].map(|heading| (heading, Align::Left));
    let cells = entries::<T>().map(|entry| {
        let mark = if entry.default { " (shown by default)" } else { "" };
        vec![entry.name.into(), entry.kind.into(), format!("{}{mark}", entry.help)]
    });
    write_cells(out, &headings, cells.collect(), layout)
}

/// The same as a document.
///
/// # Errors
/// Those of writing.
pub fn document<T: Table>(out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Columns {
        schema: u32,
        columns: Vec<Entry>,
    }
    json::line(out, &Columns { schema: json::SCHEMA, columns: entries::<T>().collect() })
}

/// The same with one column a line.
///
/// # Errors
/// Those of writing.
pub fn lines<T: Table>(out: &mut impl Write) -> io::Result<()> {
    entries::<T>().try_for_each(|entry| json::line(out, &entry))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{Files, Processes};

    fn printed(print: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> Vec<Value> {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        let lines = out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn document_and_lines_tell_all_columns() {
        let [document] = &printed(document::<Files>)[..] else { panic!("one document") };
        assert_eq!(document["schema"], 1);
        assert_eq!(document["columns"], Value::from(printed(lines::<Files>)));
        assert_eq!(document["columns"].as_array().unwrap().len(), Files::columns().len());
        let processes = printed(lines::<Processes>);
        let pid = processes.iter().find(|column| column["name"] == "PID").unwrap();
        assert_eq!((&pid["type"], &pid["default"]), (&Value::from("number"), &Value::from(true)));
    }
}
