//! Patches as git writes them, as far as they have to be understood here.

/// The files that a patch leaves behind or takes away, each once, in its order.
pub(super) fn files(patch: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for section in sections(patch) {
        let file = path_of(section);
        if let Some(file) = file.filter(|file| !files.contains(file)) {
            files.push(file);
        }
    }
    files
}

/// The patch without files whose content it does not have, such as byte code that was left lying
/// around: git names them, and then refuses the whole patch.
pub(super) fn without_bare_binaries(patch: &str) -> String {
    let is_bare = |section: &&str| {
        let mut lines = section.lines();
        let is_binary =
            lines.any(|line| line.starts_with("Binary files ") && line.ends_with(" differ"));
        is_binary && !section.contains("\n@@ ")
    };
    let start = patch.find(HEADER).map_or(patch, |at| &patch[..at]);
    let kept = sections(patch).filter(|section| !is_bare(section));
    let mut text: String = std::iter::once(start).chain(kept).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        // Some agents' submissions lose the end of their last line, without which git sees none.
        text.push('\n');
    }
    text
}

const HEADER: &str = "diff --git ";

/// The parts of a patch, one for each file, from their headers on.
fn sections(patch: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> =
        patch.match_indices("\ndiff --git ").map(|(at, _)| at + 1).collect();
    if patch.starts_with(HEADER) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([patch.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).map(|(start, end)| &patch[start..end])
}

/// The path in a header, `diff --git a/path b/path`; of a file that is renamed, the new one.
fn path_of(section: &str) -> Option<String> {
    let header = section.lines().next()?.strip_prefix(HEADER)?;
    if let Some((_, quoted)) = header.rsplit_once(" \"b/") {
        return Some(quoted.trim_end_matches('"').to_owned());
    }
    let renamed = section.lines().find_map(|line| line.strip_prefix("rename to "));
    if let Some(path) = renamed {
        return Some(path.to_owned());
    }
    // Both paths are the same, so the second begins in the middle.
    let rest = header.strip_prefix("a/")?;
    let middle = rest.len().checked_sub(" b/".len())? / 2;
    let same = rest.is_char_boundary(middle) && rest[middle..].starts_with(" b/");
    if same { Some(rest[..middle].to_owned()) } else { Some(rest.rsplit_once(" b/")?.1.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x
+diff --git a/no.py b/no.py
diff --git a/with space/b c.py b/with space/b c.py
new file mode 100644
--- /dev/null
+++ b/with space/b c.py
@@ -0,0 +1 @@
+x
diff --git a/old.py b/new.py
similarity index 90%
rename from old.py
rename to new.py
diff --git a/gone.py b/gone.py
deleted file mode 100644
";

    #[test]
    fn the_files_of_a_patch_are_named_by_its_headers() {
        assert_eq!(files(TEXT), ["a.py", "with space/b c.py", "new.py", "gone.py"]);
        assert_eq!(files("diff --git a/x b/x b/x b/x\n"), ["x b/x"]);
        assert!(files("").is_empty());
        assert!(files("--- a/x\n+++ b/x\n").is_empty());
    }

    #[test]
    fn binaries_without_their_content_are_left_out() {
        let pyc = "diff --git a/c.pyc b/c.pyc\nnew file mode 100644\nBinary files /dev/null and b/c.pyc differ\n";
        assert_eq!(without_bare_binaries(&format!("{pyc}{TEXT}{pyc}")), TEXT);
        assert_eq!(without_bare_binaries(TEXT), TEXT);
        assert_eq!(without_bare_binaries(TEXT.trim_end()), TEXT);
        assert_eq!(without_bare_binaries(""), "");
        let whole = "diff --git a/d b/d\nGIT binary patch\nliteral 1\nIcmZPo0s;U400aO6\n\n";
        assert_eq!(without_bare_binaries(whole), whole);
    }
}
