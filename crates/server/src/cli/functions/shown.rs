//! Functions and runs, for people.

use serde_json::Value;

use super::text;

/// A function on one line: its name, whether it is on, what triggers it.
pub fn function(function: &Value) -> String {
    let mut line = plain(text(&function["name"]));
    if function["enabled"] == false {
        line.push_str("  off");
    }
    let types: Vec<_> = function["on"]["types"].as_array().into_iter().flatten().map(text).collect();
    if !types.is_empty() {
        line.push_str(&plain(&format!("  on {}", types.join(", "))));
    }
    if let Some(when) = function["on"]["when"].as_str() {
        line.push_str(&plain(&format!(" when {when}")));
    }
    if let Some(cron) = function["schedule"]["cron"].as_str() {
        line.push_str(&plain(&format!("  at {cron} {}", text(&function["schedule"]["timeZone"]))));
    }
    line
}

/// A run on one line.
pub fn summary(run: &Value) -> String {
    let error = run["error"].as_str().map(|name| format!("  {}", plain(name))).unwrap_or_default();
    let [id, queued, origin, status] = ["id", "queuedAt", "origin", "status"].map(|name| text(&run[name]));
    format!("{id}  {queued}  {origin:<8}  {status}{error}")
}

/// A run with everything that it said.
pub fn run(run: &Value) -> String {
    let mut lines = vec![];
    for line in run["log"].as_array().into_iter().flatten() {
        let seconds = line["at_ms"].as_f64().unwrap_or(0.0) / 1_000.0;
        let level = text(&line["level"]);
        lines.push(format!("{seconds:>9.3} s  {level:<5}  {}", indented(text(&line["text"]))));
    }
    let mut end = format!("run {} {}", text(&run["id"]), text(&run["status"]));
    if let Some(wall) = run["usage"]["wallMs"].as_u64() {
        end.push_str(&format!(" after {wall} ms"));
    }
    lines.push(end);
    let error = &run["error"];
    if error.is_object() {
        let place = error["line"].as_u64().map(|line| format!(" (line {line})")).unwrap_or_default();
        lines.push(plain(&format!("{}: {}{place}", text(&error["name"]), text(&error["message"]))));
    }
    match &run["result"] {
        Value::Null => {}
        result => lines.push(format!("result: {}", plain(&result.to_string()))),
    }
    lines.join("\n")
}

/// On lines of its own below the first.
fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(plain).collect();
    lines.join("\n                    ")
}

/// What a function wrote must not move the cursor of whoever reads it, or change colours.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_shown_line_by_line_without_control_characters() {
        let failed = json!({
            "id": "r-1", "status": "failed", "usage": {"wallMs": 12},
            "log": [
                {"at_ms": 3, "level": "info", "text": "one\ntwo\u{1b}[2J"},
                {"at_ms": 10_500, "level": "error", "text": ""},
            ],
            "error": {"name": "TypeError", "message": "no\u{7}", "line": 3},
        });
        assert_eq!(
            run(&failed),
            "    0.003 s  info   one\n                    two\\u{1b}[2J\n   10.500 s  error  \n\
             run r-1 failed after 12 ms\nTypeError: no\\u{7} (line 3)"
        );
        let completed = json!({"id": "r-2", "status": "completed", "result": {"a": 1}});
        assert_eq!(run(&completed), "run r-2 completed\nresult: {\"a\":1}");
    }

    #[test]
    fn a_function_is_shown_with_its_triggers() {
        assert_eq!(function(&json!({"name": "one", "enabled": true})), "one");
        let all = json!({
            "name": "two", "enabled": false, "on": {"types": ["a", "b"], "when": "data.x"},
            "schedule": {"cron": "0 9 * * *", "timeZone": "UTC"},
        });
        assert_eq!(function(&all), "two  off  on a, b when data.x  at 0 9 * * * UTC");
    }
}
