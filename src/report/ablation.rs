//! `ablate`: what each kept commit is worth to the head.

use super::format;
use crate::flow::decision::Direction;
use crate::flow::record::AblationLine;
use crate::flow::session::Kept;

/// One line a commit, with a newline at the end.
pub fn text(lines: &[AblationLine], kept: &[Kept], direction: Direction, drop: bool) -> String {
    let mut text = format!("{:>5}  {:<22}  {:<28}  commit\n", "run", "worth", "with it");
    for line in lines {
        let description = kept
            .iter()
            .find(|kept| kept.run == line.of)
            .map_or("", |kept| kept.description.as_str());
        let gain = line
            .estimate
            .as_ref()
            .map_or("not measured".to_owned(), |gain| {
                format::gain(direction, gain)
            });
        let worth = if line.dropped {
            format!("{}: dropped", line.worth.describe())
        } else {
            line.worth.describe().to_owned()
        };
        text.push_str(&format!(
            "{:>5}  {worth:<22}  {gain:<28}  {}\n",
            line.of,
            format::one_line(description)
        ));
        if !line.detail.is_empty() {
            text.push_str(&format!("{:>7}{}\n", "", format::one_line(&line.detail)));
        }
    }
    let flagged = lines.iter().filter(|line| line.worth.is_flagged()).count();
    if flagged > 0 && !drop {
        text.push_str(
            "`autoresearch ablate --drop` takes out those that no longer pay or cost, after the gate\n",
        );
    }
    text
}
