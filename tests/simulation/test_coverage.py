import pytest

from specbp.errors import SpecbpError
from specbp.simulation.coverage import ranges, read_coverage


def point(file, lines, count, instance="top.a"):
    fields = {"f": f"/somewhere/{file}", "l": "1", "page": "v_line/x", "S": lines, "h": instance}
    return (
        "C '" + "".join(f"\x01{name}\x02{value}" for name, value in fields.items()) + f"' {count}"
    )


def data(*points):
    return "\n".join(["# SystemC::Coverage-3", *points]) + "\n"


def test_lines_are_counted_once_whichever_instance_reached_them():
    (file,) = read_coverage(
        data(point("a.sv", "3,7-9", 0), point("a.sv", "7-8", 2), point("a.sv", "9", 1, "top.b"))
    )
    assert file.name == "a.sv"
    assert file.reached == {7, 8, 9}
    assert file.missed == {3}
    assert file.share == 0.75


def test_files_come_by_name_and_points_without_lines_do_not_count():
    files = read_coverage(data(point("b.sv", "1", 1), point("a.sv", "2", 0), point("c.sv", "", 5)))
    assert [file.name for file in files] == ["a.sv", "b.sv"]


def test_runs_of_lines_are_shortened():
    assert ranges([9, 3, 4, 5, 7]) == "3-5, 7, 9"


@pytest.mark.parametrize("text", ["", "something else\n", "# SystemC::Coverage-3\nD 'x' 1\n"])
def test_other_data_is_refused(text):
    with pytest.raises(SpecbpError, match="coverage"):
        read_coverage(text)
