//! Whether a user's manifest could be one, as far as that can be said without a cluster.

use serde_json::Value;

/// Refuses what `kubectl apply` would refuse without asking the cluster: text that is no YAML, and documents that are no
/// objects of Kubernetes.
pub(super) fn check(text: &str) -> Result<(), String> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|problem| format!("it is no YAML: {}", problem.without_snippet()))?;
    let documents: Vec<&Value> = documents.iter().filter(|document| !document.is_null()).collect();
    if documents.is_empty() {
        return Err("it has no object".to_owned());
    }
    for (number, document) in (1..).zip(documents) {
        let lacks = |part: &str| Err(format!("document {number} of it is no object of Kubernetes: it has no `{part}`"));
        let has_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        if !has_text(&document["apiVersion"]) {
            return lacks("apiVersion");
        }
        if !has_text(&document["kind"]) {
            return lacks("kind");
        }
        let is_list = document["items"].is_array();
        if !is_list && !has_text(&document["metadata"]["name"]) {
            return lacks("metadata.name");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: cni}\n";

    #[test]
    fn objects_and_lists_of_them_pass_and_empty_documents_between_them_do_no_harm() {
        let list = "apiVersion: v1\nkind: List\nitems: []\n";
        for text in [OBJECT.to_owned(), format!("---\n{OBJECT}---\n---\n{list}"), format!("# a comment\n---\n{OBJECT}")]
        {
            assert_eq!(check(&text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_document() {
        for (text, part) in [
            ("kind: [", "no YAML"),
            ("", "no object"),
            ("---\n---\n", "no object"),
            ("<html>not found</html>", "document 1"),
            ("kind: Pod\nmetadata: {name: a}\n", "`apiVersion`"),
            ("apiVersion: v1\nmetadata: {name: a}\n", "`kind`"),
            ("apiVersion: v1\nkind: Pod\n", "`metadata.name`"),
        ] {
            let refusal = check(text).unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
        assert!(check(&format!("{OBJECT}---\nkind: Pod\n")).unwrap_err().contains("document 2"));
    }
}
