"""Data sets over local folders: items, labels, splits, and the files that are missing."""

import pickle
import sys

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from bitspike import events
from bitspike.events import datasets


def test_nmnist(tmp_path):
    for part, label in (("Train", 3), ("Train", 0), ("Test", 9)):
        folder = tmp_path / part / str(label)
        folder.mkdir(parents=True)
        for name in ("00007.bin", "00002.bin"):
            events.write(([label, 900], [1, 2], [3, 4]), "nmnist", folder / name)
    train = datasets.NMNIST(tmp_path)
    assert [item.label for item in train.items] == [0, 0, 3, 3]
    assert [item.path.name for item in train.items[:2]] == ["00002.bin", "00007.bin"]
    found, label = train[2]
    assert (found.t.tolist(), label) == ([3, 900], 3)
    assert len(datasets.NMNIST(tmp_path, train=False)) == 2
    doubled = datasets.NMNIST(tmp_path, transform=len, target_transform=lambda label: 2 * label)
    assert doubled[3] == (2, 6)
    says = r"N-MNIST expects Train/0/\*\.bin and .* in .*; they come in Train\.zip \(MD5 2095"
    with pytest.raises(FileNotFoundError, match=says):
        datasets.NMNIST(tmp_path / "elsewhere")


def test_cifar10_dvs(tmp_path):
    for name, suffix in (("truck", "aedat"), ("airplane", "aedat4")):
        (tmp_path / name).mkdir()
        form = "aedat2" if suffix == "aedat" else "aedat4"
        events.write(([5], [1], [3]), form, tmp_path / name / f"x.{suffix}")
    data = datasets.CIFAR10DVS(tmp_path, convention="tonic")
    assert [label for _, label in data] == [0, 9]
    assert data[1][0].x.item() == 3
    with pytest.raises(FileNotFoundError, match="CIFAR10-DVS expects airplane"):
        datasets.CIFAR10DVS(tmp_path / "elsewhere")


@pytest.fixture
def gestures(tmp_path):
    (tmp_path / "trials_to_train.txt").write_text("user01_led.aedat\n\nuser02_lab.aedat\n")
    (tmp_path / "trials_to_test.txt").write_text("user24_led.aedat\n")
    t = torch.arange(0, 3000, 10)
    for user in ("user01_led", "user02_lab", "user24_led"):
        columns = (t, t % 128, t % 100, t % 3 == 0)
        events.write(columns, "aedat3.1", tmp_path / f"{user}.aedat", sensor_size=(128, 128))
        labels = "class,startTime_usec,endTime_usec\r\n1,100,500\r\n11,450,2000\r\n"
        (tmp_path / f"{user}_labels.csv").write_text(labels)
    return tmp_path


def test_dvs_gesture(gestures):
    train = datasets.DVSGesture(gestures)
    assert [trial.label for trial in train.trials] == [0, 10, 0, 10]
    assert len(datasets.DVSGesture(gestures, train=False)) == 2
    found, label = train[1]
    # From the start, and up to the end without it; trials may overlap.
    assert (found.t.tolist(), label) == (list(range(450, 2000, 10)), 10)
    assert found.size == (128, 128) and train[0][0].t[-1] == 490
    transform = events.ToPacked(time_window=100, include_incomplete=True)
    data = datasets.DVSGesture(gestures, transform=transform)
    (batch,) = DataLoader(data, batch_size=4, collate_fn=events.collate, num_workers=2)
    assert batch.lengths.tolist() == [4, 16, 4, 16] and batch.labels.tolist() == [0, 10, 0, 10]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("class,a,b\n1,2\n", "rows of class"),
        ("class\nx,1,2\n", "rows of class"),
        ("c\n12,1,2\n", "class 12"),
    ],
)
def test_labels_that_are_none(gestures, labels, says):
    (gestures / "user24_led_labels.csv").write_text(labels)
    with pytest.raises(ValueError, match=says):
        datasets.DVSGesture(gestures, train=False)


def test_gestures_that_are_missing(gestures):
    (gestures / "user02_lab.aedat").unlink()
    says = r"DVS-Gesture expects user02_lab\.aedat in .* DvsGesture\.tar\.gz \(MD5"
    with pytest.raises(FileNotFoundError, match=says):
        datasets.DVSGesture(gestures)
    (gestures / "trials_to_train.txt").write_text("../secret.aedat\n")
    with pytest.raises(FileNotFoundError, match="expects secret.aedat"):
        datasets.DVSGesture(gestures)
    (gestures / "trials_to_train.txt").unlink()
    with pytest.raises(FileNotFoundError, match="expects trials_to_train.txt"):
        datasets.DVSGesture(gestures)


def write_words(path, times, units, labels):
    with h5py.File(path, "w") as file:
        for name, rows, dtype in (("times", times, "f2"), ("units", units, "u2")):
            data = file.create_dataset(f"spikes/{name}", (len(rows),), h5py.vlen_dtype(dtype))
            for i, row in enumerate(rows):
                data[i] = np.array(row, dtype=dtype)
        file["labels"] = np.array(labels, dtype="u2")


def test_shd_and_ssc(tmp_path):
    times, units = [[0.5, 0.25], [], [1.001]], [[3, 699], [], [0]]
    write_words(tmp_path / "shd_train.h5", times, units, [4, 19, 0])
    data = datasets.SHD(tmp_path)
    found, label = data[0]
    assert (found.t.tolist(), found.x.tolist(), label) == ([500_000, 250_000], [3, 699], 4)
    assert len(data[1][0]) == 0 and data[-1][1] == 0
    # Half floats near 1 s have steps of about a millisecond.
    assert data[2][0].t.tolist() == [1_000_977]
    with pytest.raises(IndexError):
        data[3]
    assert pickle.loads(pickle.dumps(data))[0][1] == 4
    windows = {"time_window": 10_000, "start": 0, "end": 1_100_000}
    transform = events.ToPacked(sensor_size=data.sensor_size, **windows)
    data = datasets.SHD(tmp_path, transform=transform)
    (batch,) = DataLoader(data, batch_size=3, collate_fn=events.collate, num_workers=2)
    assert batch.spikes.shape == (110, 3, 1, 1, 700) and batch.spikes.sum() == 3
    write_words(tmp_path / "ssc_valid.h5", times, units, [34, 1, 2])
    assert datasets.SSC(tmp_path, "valid")[0][1] == 34
    with pytest.raises(ValueError, match="split must be one of"):
        datasets.SSC(tmp_path, "dev")


def test_words_that_are_wrong_or_missing(tmp_path, monkeypatch):
    for name, times, units, says in (
        ("channel", [[0.5]], [[700]], "item 0 must have a unit below 700"),
        ("length", [[0.5, 0.6]], [[3]], "item 0 must have a unit"),
        ("time", [[np.inf]], [[3]], "not finite"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        write_words(folder / "shd_test.h5", times, units, [0])
        with pytest.raises(ValueError, match=says):
            datasets.SHD(folder, train=False)[0]
    with pytest.raises(FileNotFoundError, match=r"shd_train\.h5 in .* \(MD5 f3252aeb"):
        datasets.SHD(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'bitspike\[events\]'"):
        datasets.SHD(tmp_path / "time", train=False)
