"""A log that a process appends to for days stays small, and its end can be read."""

from pathlib import Path

from infrastructure.agent.logs import cut_down, emptied, log_tail


def test_a_log_that_is_too_long_is_cut_down_to_its_end_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_text("of a worker before")
    with emptied(path) as log:
        for number in range(1000):
            log.write(b"line %d\n" % number)
        log.flush()
        whole = path.stat().st_size
        cut_down(path, most_bytes=whole, kept_bytes=100)
        assert path.stat().st_size == whole, "it is not too long yet"
        cut_down(path, most_bytes=500, kept_bytes=100)
        log.write(b"line 1000\n")
    text = path.read_text()
    assert len(text) < 300
    assert text.splitlines()[0].startswith(f"(the node has cut off {whole - 100} bytes here)")
    assert log_tail(path).endswith("line 998\nline 999\nline 1000")
    assert "\0" not in text


def test_one_that_is_missing_is_let_be(tmp_path: Path) -> None:
    cut_down(tmp_path / "none.log")
    assert list(tmp_path.iterdir()) == []
