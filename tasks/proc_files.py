"""What the kernel says of a process in its files of /proc. Standard library only."""

from pathlib import Path

_KIB = 1024


def fields_of(file: Path) -> dict[str, int]:
    """Lines such as ``Rss:   123 kB`` of a file of /proc, those with a number."""
    fields = {}
    for line in file.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields


def memory_bytes(pid: int) -> tuple[int, int, int]:
    """RSS, PSS and USS of a process, of the same moment; zeros for one that has just given up its memory."""
    fields = fields_of(Path(f"/proc/{pid}/smaps_rollup"))
    private = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")
    sizes_kib = (fields.get("Rss", 0), fields.get("Pss", 0), sum(fields.get(name, 0) for name in private))
    return (sizes_kib[0] * _KIB, sizes_kib[1] * _KIB, sizes_kib[2] * _KIB)
