//! Bars of CPU per call, as SVG.

use std::fmt::Write;

use serde_json::Value;

const LEFT: f64 = 300.0;
const WIDTH: f64 = 520.0;
const STEP: f64 = 20.0;

/// One bar each, by group, all at one scale.
pub fn bars(bars: &[Value]) -> String {
    let value = |bar: &Value| bar["value"].as_f64().unwrap_or(0.0);
    let most = bars.iter().map(value).fold(1.0, f64::max);
    let (mut body, mut y, mut group) = (String::new(), 10.0, "");
    for bar in bars {
        let (name, of) =
            (bar["name"].as_str().unwrap_or_default(), bar["group"].as_str().unwrap_or_default());
        if of != group {
            group = of;
            y += 26.0;
            put(&mut body, &format!("<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{of}</text>"));
            y += 8.0;
        }
        let (length, fill) = (value(bar) / most * WIDTH, colour(name));
        put(
            &mut body,
            &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0, y + 14.0),
        );
        put(
            &mut body,
            &format!(
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" fill=\"{fill}\"/>",
                y + 3.0
            ),
        );
        put(
            &mut body,
            &format!("<text x=\"{:.1}\" y=\"{}\">{:.0}</text>", LEFT + length + 6.0, y + 14.0, value(bar)),
        );
        y += STEP;
    }
    let height = y + 20.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"900\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\">CPU per call, microseconds</text>\n{body}</svg>\n"
    )
}

fn put(body: &mut String, line: &str) {
    writeln!(body, "{line}").expect("a string takes all");
}

fn colour(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("callgate") => "#2a7f62",
        _ if name.starts_with("floor") => "#9aa5b1",
        _ => "#c0504d",
    }
}
