"""`handsight demo`."""


def test_demo_at_its_smallest_draws_every_section(handsight, tmp_path):
    small = [
        "--objects",
        "160",
        "--views",
        "2",
        "--image-size",
        "16",
        "--frame-size",
        "24",
        "--steps",
        "2",
        "--batch-size",
        "16",
        "--channels",
        "[4, 4, 8, 8]",
    ]
    status, said, _ = handsight("demo", "--out", tmp_path / "demo", *small)
    assert status == 0
    page = (tmp_path / "demo" / "report" / "index.html").read_text()
    for row in ("random", "SimCLR", "SimCLR-TT", "AA-SimCLR", "supervised"):
        assert row in page
        assert row in said
    assert "interval" in said
    for heading in (
        "What was done and seen",
        "Training",
        "Nearest neighbours",
        "A map of the embedding",
        "How this was made",
    ):
        assert heading in page
