//! The graph as SVG. Its colours come from the style sheet; every step has its state as a word.

use std::fmt::Write as _;

use heal_engine::text::printable;
use maud::{Markup, PreEscaped, html};

use super::{Layout, Node, Place, layout};

/// Pixels of a step's box, and between boxes.
const WIDTH: f64 = 196.0;
const HEIGHT: f64 = 58.0;
const ACROSS: f64 = 24.0;
const DOWN: f64 = 34.0;
const MARGIN: f64 = 8.0;
/// Characters of a name that fit into a box.
const CHARACTERS: usize = 24;

/// The graph of these steps. `anchor` makes the target of a step's link.
pub(in crate::console) fn svg(nodes: &[Node], label: &str, anchor: impl Fn(&Node) -> String) -> Markup {
    let layout = layout(nodes);
    let (width, height) = size(&layout);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="group" aria-label=(label) {
                @for edge in &layout.edges {
                    path.edge d=(path(edge)) {}
                }
                @for (node, place) in nodes.iter().zip(&layout.places) {
                    (step(node, *place, &anchor(node)))
                }
            }
        }
    }
}

fn step(node: &Node, place: Place, link: &str) -> Markup {
    let (left, top) = (centre(place) - WIDTH / 2.0, top(place));
    let line = |y: f64, class: &str, text: &str| {
        PreEscaped(format!(
            "<text x=\"{}\" y=\"{}\" class=\"{class}\">{}</text>",
            left + 12.0,
            top + y,
            html! { (short(text)) }.into_string()
        ))
    };
    html! {
        a href=(link) {
            g class={ "node " (node.tone.class()) } {
                title { (printable(&node.kind)) }
                rect x=(left) y=(top) width=(WIDTH) height=(HEIGHT) rx="8" {}
                (line(24.0, "", &node.name))
                (line(43.0, "small", &if node.state.is_empty() { node.kind.clone() } else { format!("{} {}", glyph(node), node.state) }))
            }
        }
    }
}

/// A mark besides the colour.
const fn glyph(node: &Node) -> &'static str {
    use crate::console::page::Tone;
    match node.tone {
        Tone::Good => "✓",
        Tone::Left => "!",
        Tone::Bad => "✗",
        Tone::Live => "▶",
        Tone::Waits => "…",
        Tone::None => "·",
    }
}

fn short(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

fn size(layout: &Layout) -> (f64, f64) {
    let of = |count: usize, size: f64, gap: f64| {
        let count = super::to_f64(count);
        2.0 * MARGIN + count * size + (count - 1.0).max(0.0) * gap
    };
    (of(layout.columns, WIDTH, ACROSS), of(layout.rows, HEIGHT, DOWN))
}

fn centre(place: Place) -> f64 {
    MARGIN + place.x * (WIDTH + ACROSS) - ACROSS / 2.0
}

fn top(place: Place) -> f64 {
    MARGIN + super::to_f64(place.row) * (HEIGHT + DOWN)
}

/// From the lower side of the first place to the upper side of the last one; straight down where it passes a row.
fn path(edge: &[Place]) -> String {
    let mut path = String::new();
    for (index, (from, to)) in edge.iter().zip(edge.iter().skip(1)).enumerate() {
        let (x1, y1, x2, y2) = (centre(*from), top(*from) + HEIGHT, centre(*to), top(*to));
        let middle = f64::midpoint(y1, y2);
        // Writing to a text cannot fail.
        let _ = if index == 0 { write!(path, "M{x1} {y1}") } else { write!(path, "L{x1} {y1}") };
        let _ = write!(path, "C{x1} {middle} {x2} {middle} {x2} {y2}");
    }
    path
}
