//! The rooms of the crate: imports lead down the floors, and no file imports itself by a detour.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each room may import those below it; rooms of one floor do not know each other.
const FLOORS: [&[&str]; 11] = [
    &["error"],
    &["simd"],
    &["math", "parallel"],
    &["spikes", "spike_times"],
    &["tiling", "events"],
    &["matmul"],
    &["conv", "attention"],
    &["neuron", "surrogate"],
    &["registry", "integer"],
    &["sequence", "scan", "traces", "network"],
    &["recurrent", "stack", "program"],
];

/// A module's path in the crate: `[]` is that of `lib.rs`.
type Module = Vec<String>;

/// A `use` of one name.
struct Import {
    path: Vec<String>,
    /// What it is called here.
    name: String,
    /// Whether others can import it from here.
    is_public: bool,
}

/// What matters here of a source file.
struct Source {
    imports: Vec<Import>,
    /// Paths of two names or more outside of `use`.
    paths: Vec<Vec<String>>,
    /// All names outside of `use`.
    names: BTreeSet<String>,
}

impl Source {
    fn parse(text: &str) -> Self {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
        let is_declaration =
            |line: &String| line.ends_with(';') && line.split(' ').any(|word| word == "mod");
        let code: Vec<_> = code
            .lines()
            .map(without_comment)
            .filter(|line| !is_declaration(line))
            .collect();
        let (mut imports, mut rest) = (Vec::new(), String::new());
        for statement in code.join("\n").split_inclusive(';') {
            let start = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
                .iter()
                .find_map(|start| {
                    let at = statement.find(&format!("\n{start}"))?;
                    Some((at, *start))
                });
            let Some((at, start)) = start else {
                rest += statement;
                continue;
            };
            rest += &statement[..at];
            let tree = statement[at + 1 + start.len()..].trim_end_matches(';');
            expand(&[], tree, start != "use ", &mut imports);
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let names = rest.split(|c| !is_part(c)).map(str::to_owned).collect();
        let paths = rest
            .split(|c| !is_part(c) && c != ':')
            .map(|path| path.split("::").map(str::to_owned).collect::<Vec<_>>())
            .filter(|path| path.len() > 1)
            .collect();
        Self {
            imports,
            paths,
            names,
        }
    }
}

/// Takes the braces of a `use` apart.
fn expand(before: &[String], tree: &str, is_public: bool, imports: &mut Vec<Import>) {
    let tree = tree.trim();
    let (path, branches) = tree.split_once('{').unwrap_or((tree, ""));
    let (path, alias) = path.split_once(" as ").unwrap_or((path, ""));
    let names = path.split("::").map(|name| name.trim().to_owned());
    let mut path = before.to_vec();
    path.extend(names.filter(|name| !name.is_empty() && name != "self"));
    if branches.is_empty() {
        let last = path.last().expect("a use has a name");
        let name = if alias.is_empty() { last } else { alias }.to_owned();
        return imports.push(Import {
            path,
            name,
            is_public,
        });
    }
    let (mut depth, mut branch) = (0, String::new());
    for c in branches.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth < 0 || (depth == 0 && c == ',') {
            if !branch.trim().is_empty() {
                expand(&path, &branch, is_public, imports);
            }
            branch.clear();
        } else {
            branch.push(c);
        }
    }
}

struct Crate(BTreeMap<Module, Source>);

impl Crate {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("a source in UTF-8");
                    let module = path.with_extension("");
                    let module = module.strip_prefix(&root).expect("below the root");
                    let names = module
                        .iter()
                        .map(|name| name.to_string_lossy().into_owned());
                    let names = names.filter(|name| name != "mod" && name != "lib");
                    sources.insert(names.collect(), Source::parse(&text));
                }
            }
        }
        Self(sources)
    }

    /// The modules that define what a path means where it stands: several for a `*`.
    fn resolve(&self, from: &Module, path: &[String]) -> Vec<Module> {
        let child = |name: &String| [&from[..], std::slice::from_ref(name)].concat();
        let Some((name, rest)) = path.split_first() else {
            return vec![from.clone()];
        };
        let source = &self.0[from];
        match name.as_str() {
            "crate" => self.resolve(&Module::new(), rest),
            "super" => self.resolve(&from[..from.len() - 1].to_vec(), rest),
            "*" => {
                let public = source.imports.iter().filter(|import| import.is_public);
                let all = public.flat_map(|import| self.resolve(from, &import.path));
                all.chain([from.clone()]).collect()
            }
            _ if self.0.contains_key(&child(name)) => self.resolve(&child(name), rest),
            _ => match source.imports.iter().find(|import| import.name == *name) {
                Some(import) => self.resolve(from, &[&import.path[..], rest].concat()),
                None => vec![from.clone()],
            },
        }
    }

    /// The modules that a file needs. What it only passes on to others, it does not need.
    fn needs(&self, module: &Module) -> BTreeSet<Module> {
        let source = &self.0[module];
        let used = |import: &&Import| !import.is_public || source.names.contains(&import.name);
        let imports = source.imports.iter().filter(used);
        let paths = imports.map(|import| &import.path).chain(&source.paths);
        let needs = paths.flat_map(|path| self.resolve(module, path));
        needs.filter(|need| need != module).collect()
    }
}

fn floor(module: &Module) -> Option<usize> {
    let room = module.first()?;
    FLOORS
        .iter()
        .position(|rooms| rooms.contains(&room.as_str()))
}

#[test]
fn imports_lead_down_the_floors() {
    let sources = Crate::read();
    for module in sources.0.keys().filter(|module| !module.is_empty()) {
        let own = floor(module);
        assert!(own.is_some(), "{module:?} is on no floor");
        for need in sources.needs(module) {
            assert!(
                need.first() == module.first() || floor(&need) < own,
                "{module:?} imports {need:?}"
            );
        }
    }
}

#[test]
fn no_file_imports_itself_by_a_detour() {
    let sources = Crate::read();
    let mut left: BTreeMap<_, _> = sources
        .0
        .keys()
        .map(|module| (module, sources.needs(module)))
        .collect();
    assert!(left.values().map(BTreeSet::len).sum::<usize>() > 100);
    // Files that need none that is left are no part of a circle.
    while let Some(free) = left
        .iter()
        .find(|(_, needs)| needs.iter().all(|need| !left.contains_key(need)))
        .map(|(module, _)| *module)
    {
        left.remove(free);
    }
    let circle: Vec<_> = left
        .iter()
        .map(|(module, needs)| {
            let needs = needs.iter().filter(|need| left.contains_key(need));
            let needs: Vec<_> = needs.map(|need| need.join("::")).collect();
            format!("{} imports {}", module.join("::"), needs.join(", "))
        })
        .collect();
    assert!(
        circle.is_empty(),
        "in circles, or above them:\n{}",
        circle.join("\n")
    );
}
