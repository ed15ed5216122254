"""`handsight export` and `report`: bad input and interruptions."""

from commands_samples import refused


def test_evaluate_report_and_export_of_no_run(handsight, tmp_path):
    (tmp_path / "folder").mkdir()
    for command in ("evaluate", "report", "export"):
        refused(handsight(command, tmp_path / "folder"), "folder")
        refused(handsight(command, tmp_path / "nowhere"), "nowhere")
