//! Every story between a client and a server, as the scripts tell it.

mod compare;
mod story;

use std::path::Path;

use serde_json::Value;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn every_script_is_played_to_its_end() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/scripts");
    let mut stories = JoinSet::new();
    let only = option_env!("CAMPANILE_SCRIPT").unwrap_or("");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") && name.contains(only) {
            let script: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            stories.spawn(async move { (name, story::play(script).await) });
        }
    }
    let mut played = 0;
    let mut failed = Vec::new();
    while let Some(ended) = stories.join_next().await {
        let (name, result) = ended.unwrap();
        played += 1;
        failed.extend(result.err().map(|why| format!("{name}: {why}")));
    }
    failed.sort();
    assert!(failed.is_empty(), "{} of {played} scripts:\n{}", failed.len(), failed.join("\n"));
    assert!(played >= 20 || !only.is_empty(), "only {played} scripts");
}
