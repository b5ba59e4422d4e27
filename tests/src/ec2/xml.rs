//! As much XML as EC2's answers need: no attributes that matter, no nesting of equal names that matters.

/// The text of the first element of this name.
pub(crate) fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    texts(xml, name).next()
}

/// The text of every element of this name, in order.
pub(crate) fn texts<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&begin)?;
        let (text, after) = after.split_once(&end)?;
        rest = after;
        Some(text)
    })
}

/// Every id of a resource that stands in elements whose names end with `Id`, and with `Arn` for load balancers.
pub(crate) fn ids(xml: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for piece in xml.split('<') {
        let Some((name, text)) = piece.split_once('>') else { continue };
        if (name.ends_with("Id") && is_id(text)) || (name.ends_with("Arn") && is_balancers(text)) {
            ids.push(text.to_owned());
        }
    }
    ids
}

/// Whether this is the id of a load balancer or one of its parts.
pub(crate) fn is_balancers(text: &str) -> bool {
    text.starts_with("arn:aws:elasticloadbalancing:")
}

/// Whether this looks like `vpc-0123456789abcdef0`.
pub(crate) fn is_id(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(prefix, number)| {
        prefix.starts_with(|first: char| first.is_ascii_lowercase())
            && (8..=17).contains(&number.len())
            && number.chars().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_ids_are_found() {
        let xml = "<a><vpcId>vpc-0123456789abcdef0</vpcId><name>x</name><name>y</name><ownerId>1234</ownerId></a>";
        assert_eq!(texts(xml, "name").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(ids(xml), ["vpc-0123456789abcdef0"]);
    }
}
