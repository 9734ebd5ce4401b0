//! Tables that fit the terminal.

use coldsign_verify::escape::escaped;

/// Rows of columns, the first row their headings.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(ToString::to_string).collect()] }
    }

    /// One more row; its cells are escaped here.
    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| escaped(cell).to_string()).collect());
    }

    /// The lines. Where they would be wider than `width`, the widest columns are cut.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns).map(|column| self.widest(column)).collect();
        let between = 2 * columns.saturating_sub(1);
        while widths.iter().sum::<usize>() + between > width {
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= 8 {
                break;
            }
            *widest -= 1;
        }
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| fitted(cell, *width)).collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn fitted(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return format!("{cell:<width$}");
    }
    let kept: String = cell.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_way() {
        let mut table = Table::new(&["KEY", "WHAT"]);
        table.row(&["default/1", &"long ".repeat(30)]);
        for line in table.lines(60) {
            assert!(line.chars().count() <= 60, "{line}");
        }
        assert!(table.lines(60)[1].starts_with("default/1  long"));
        assert!(table.lines(200)[1].len() > 100);
    }

    #[test]
    fn cells_can_not_move_the_cursor() {
        let mut table = Table::new(&["SUBJECT"]);
        table.row(&["\x1b[2J"]);
        assert!(!table.lines(80).concat().contains('\x1b'));
    }
}
