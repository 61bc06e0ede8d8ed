//! A plan for people: as text, and as drawings.

use std::fmt::{self, Write};

use super::{Caught, Plan, Planned};
use crate::workflow::Branch;

/// How much of a label a drawing shows.
const LABEL_CHARS_MAX: usize = 60;

impl fmt::Display for Plan {
    /// One line a task, in order of need: what it is, what it calls, what it waits for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .tasks
            .iter()
            .map(|task| task.label.chars().count())
            .max();
        let width = width.unwrap_or_default().min(LABEL_CHARS_MAX);
        for task in &self.tasks {
            write!(f, "{:width$}  {}", task.label, task.template.func)?;
            if task.for_each.is_some() {
                f.write_str(" for each")?;
            }
            let mut separator = "  after ";
            for need in &task.needs {
                write!(f, "{separator}{}", self.tasks[need.task].label)?;
                if need.branch != Branch::Ok {
                    write!(f, " ({})", branch_word(need.branch))?;
                }
                separator = ", ";
            }
            if let Some(catch) = &task.catch {
                write!(f, "  {}", self.catch(catch))?;
            }
            if task.is_secret {
                f.write_str("  secret")?;
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

impl Plan {
    /// The plan as a graph for Graphviz.
    pub fn to_dot(&self) -> String {
        let mut text = "digraph workflow {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (index, task) in self.tasks.iter().enumerate() {
            let double = if task.for_each.is_some() {
                ", peripheries=2"
            } else {
                ""
            };
            let label = quoted(&format!(
                "{}\n{}",
                shown(&task.label),
                shown(&task.template.func)
            ));
            text.push_str(&format!("  t{index} [label={label}{double}];\n"));
        }
        for (from, to, word) in self.arrows() {
            let style = match word {
                "" => String::new(),
                "else" => " [label=\"else\", style=dashed]".to_owned(),
                word => format!(" [label=\"{word}\"]"),
            };
            text.push_str(&format!("  t{from} -> t{to}{style};\n"));
        }
        text.push_str("}\n");
        text
    }

    /// The plan as a flowchart for Mermaid.
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (index, task) in self.tasks.iter().enumerate() {
            let label = entities(&format!(
                "{}: {}",
                shown(&task.label),
                shown(&task.template.func)
            ));
            let (open, close) = if task.for_each.is_some() {
                ("[[", "]]")
            } else {
                ("[", "]")
            };
            text.push_str(&format!("  t{index}{open}\"{label}\"{close}\n"));
        }
        for (from, to, word) in self.arrows() {
            let arrow = match word {
                "" => "-->".to_owned(),
                "else" => "-. else .->".to_owned(),
                word => format!("-- {word} -->"),
            };
            text.push_str(&format!("  t{from} {arrow} t{to}\n"));
        }
        text
    }

    /// From what is needed to who needs it, with a word on which branch.
    fn arrows(&self) -> impl Iterator<Item = (usize, usize, &'static str)> {
        let arrows = |(to, task): (usize, &Planned)| {
            let needs = task
                .needs
                .iter()
                .map(move |need| (need.task, to, branch_word(need.branch)));
            let rewires = match &task.catch {
                Some(Caught::Rewire(from)) => vec![*from],
                Some(Caught::Handler { rewire, .. }) => rewire.clone(),
                _ => Vec::new(),
            };
            let rewires = rewires.into_iter().map(move |from| (from, to, "else"));
            needs.chain(rewires).collect::<Vec<_>>()
        };
        self.tasks.iter().enumerate().flat_map(arrows)
    }

    fn catch(&self, catch: &Caught) -> String {
        match catch {
            Caught::Ok(_) => "else a value".to_owned(),
            Caught::Rewire(task) => format!("else {}", self.tasks[*task].label),
            Caught::Message(_) => "else a message".to_owned(),
            Caught::Handler { func, .. } => format!("else {func}"),
        }
    }
}

/// Nothing is said about the usual branch.
fn branch_word(branch: Branch) -> &'static str {
    match branch {
        Branch::Ok => "",
        Branch::Error => "error",
        Branch::Any => "any",
    }
}

fn shown(text: &str) -> String {
    crate::wit::brief::brief(text, LABEL_CHARS_MAX)
}

/// A string of DOT: only quotes and backslashes mean something in it, and `\n` is a line break.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// A text of Mermaid, where what means something is written by its number.
fn entities(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        if character.is_alphanumeric() || " -_.:/@".contains(character) {
            safe.push(character);
        } else {
            safe.push_str(&format!("#{};", u32::from(character)));
        }
    }
    safe
}
