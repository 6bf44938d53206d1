//! The header is what the files of `src` say, and a program in C runs a network with it.

use bitspike::network::{Dtype, Tensor, write};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that hold functions for C, in the order of a user's calls.
const FILES: &[&str] = &["network", "state", "step", "output", "error"];

#[test]
fn no_file_is_left_out() {
    let entries = fs::read_dir(root().join("src")).expect("a folder");
    let found = entries.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        text.contains("extern \"C\"").then_some(stem)
    });
    let found: BTreeSet<_> = found.collect();
    assert_eq!(found, FILES.iter().map(|&file| file.to_owned()).collect());
}

#[test]
fn the_header_is_that_of_the_functions() {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("a config");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in FILES {
        builder = builder.with_src(root().join(format!("src/{file}.rs")));
    }
    let bindings = builder.generate().expect("a header");
    let mut generated = Vec::new();
    bindings.write(&mut generated);
    // What Rust asks for to call a function is no matter of C.
    let generated = String::from_utf8(generated).expect("a text");
    let generated = generated.replace("\n\n # Safety\n By the contract of the crate.", "");
    let path = root().join("include/bitspike.h");
    if env::var_os("BITSPIKE_WRITE_HEADER").is_some() {
        fs::write(&path, &generated).expect("the header is written");
    }
    let header = fs::read_to_string(path).expect("a header");
    assert_eq!(
        header, generated,
        "run this test with BITSPIKE_WRITE_HEADER=1"
    );
}

/// The newest static library of this crate beside this test.
fn library() -> PathBuf {
    let test = env::current_exe().expect("this test");
    let folder = test.parent().expect("a folder");
    let entries = [folder, folder.parent().expect("a folder")]
        .map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path());
    let is_library = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.starts_with("libbitspike_c") && name.ends_with(".a")
    };
    let newest = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    paths
        .filter(is_library)
        .max_by_key(newest)
        .expect("a static library")
}

/// A leaky neuron of two inputs.
fn network() -> Vec<u8> {
    let graph = r#"{
      "dt": 0.001, "inputs": [{"name": "x", "shape": [2], "kind": "spikes"}], "previous": [],
      "ops": [
        {"op": "linear", "in": "x", "out": "current", "weight": "weight", "bias": null},
        {"op": "leaky", "in": "current", "out": "y", "beta": 0.5, "threshold": 1.0,
         "reset": "subtract", "reset_delay": true, "fire_at": "gt", "order": "integrate_first",
         "recurrent": null, "state": ["mem"], "initial": [0]}],
      "outputs": ["y"]}"#;
    let data: Vec<u8> = [0.75_f32, 0.5]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let weight = Tensor {
        name: "weight".into(),
        dtype: Dtype::F32,
        shape: vec![1, 2],
        data: &data,
    };
    write(graph, vec![weight]).expect("a network")
}

#[test]
fn a_program_in_c_runs_a_network() {
    let folder = env::temp_dir().join(format!("bitspike-c-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (program, file) = (folder.join("steps"), folder.join("network.safetensors"));
    fs::write(&file, network()).expect("a file");
    let mut compiler = Command::new("cc");
    compiler
        .arg("-std=c11")
        .args(["-Wall", "-Wextra", "-Werror", "-I"]);
    compiler
        .arg(root().join("include"))
        .arg(root().join("tests/steps.c"))
        .arg(library());
    compiler
        .args(["-o".as_ref(), program.as_os_str()])
        .args(["-lpthread", "-ldl", "-lm"]);
    let Ok(compiled) = compiler.output() else {
        return; // There is no compiler.
    };
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let run = Command::new(&program).arg(&file).output().expect("it runs");
    fs::remove_dir_all(&folder).expect("the folder is removed");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    // 0.75 + 0.5; half of it and 0.5 + 0.5 less a threshold; half of that.
    let expected = "1 1.25 1\n0 0.125 1\n0 0.0625 1\nrestored 0.0625\nreset 0.75\n";
    assert_eq!(String::from_utf8_lossy(&run.stdout), expected);
}
