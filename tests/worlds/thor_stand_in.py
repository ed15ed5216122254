"""Speaks what AI2-THOR's controller speaks: its events, masks, depth and answers; the room is a picture.

A mug (0.3 kg) and a box (3 kg) stand before a wall; a painting hangs on it, and a fridge is out of reach.
"""

import sys
import types
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

SIZE = 60
WALL_M, THINGS_M, FAR_M = 1.4, 1.1, 3.0
NEAR_M = 0.1  # what the simulator's depth has too much

# name: (top, left, height, width, planar depth, mass, moveable, pickupable, colour)
THINGS = {
    "Mug|+00.10|+00.90|+01.00": (20, 10, 12, 12, THINGS_M, 0.3, False, True, (200, 40, 40)),
    "Box|+00.50|+00.20|+01.00": (24, 30, 16, 10, THINGS_M, 3.0, True, False, (40, 40, 200)),
    "Painting|-01.00|+01.50|+02.00": (2, 2, 8, 8, WALL_M, 5.0, False, False, (200, 200, 40)),
    "Fridge|-02.00|+00.00|+03.00": (40, 44, 12, 12, FAR_M, 149.0, True, False, (230, 230, 230)),
    "Piano|-03.00|+00.00|+03.00": (50, 2, 8, 8, THINGS_M, 150.0, True, False, (20, 20, 20)),
    "Ball|+09.00|+00.00|+09.00": (0, 0, 0, 0, THINGS_M, 0.1, True, True, (0, 0, 0)),  # not in view
}
ENOUGH_N = {"Mug": 5.0, "Box": 30.0, "Fridge": 5.0}


class RestartError(RuntimeError):
    """As `ai2thor.exceptions.RestartError`."""


@dataclass
class Event:
    frame: np.ndarray
    depth_frame: np.ndarray
    instance_masks: dict
    metadata: dict


class Controller:
    """What happened is in `log`; class attributes say what goes wrong."""

    started: ClassVar[list] = []
    refuses: str = ""
    crashes_on: str = ""
    cannot_start: str = ""
    nowhere: bool = False

    def __init__(self, **options):
        if Controller.cannot_start:
            raise RuntimeError(Controller.cannot_start)
        self.options, self.log, self.stopped = options, [], False
        Controller.started.append(self)

    def reset(self, scene):
        self.log.append({"action": "Reset", "scene": scene})
        if Controller.crashes_on == "reset":
            raise RestartError("Restarting unity due to crash")
        self.moved = dict.fromkeys(THINGS, 0)
        return self.step(action="Pass")

    def step(self, **action):
        self.log.append(action)
        name = action["action"]
        if name == Controller.crashes_on:
            raise RestartError("Restarting unity due to crash")
        answer = None
        if name == "GetReachablePositions":
            answer = (
                []
                if Controller.nowhere
                else [{"x": x, "y": 0.9, "z": z} for x in (0.5, 0.25) for z in (1, 2)]
            )
        if name == "InitialRandomSpawn":
            self.moved = {thing: action["randomSeed"] % 3 for thing in THINGS}
        if name == "TouchThenApplyForce":
            answer = self._touch(**action)
        return self._event(answer, name != Controller.refuses)

    def stop(self):
        self.stopped = True

    def _touch(self, x, y, direction, moveMagnitude, handDistance, **_):
        row, column = int(y * SIZE), int(x * SIZE)
        at = self._planar()[row, column] * self._ray()[row, column]
        if at > handDistance:
            return {"didHandTouchSomething": False, "objectId": "", "armsLength": handDistance}
        for thing in THINGS:
            if self._where(thing)[row, column]:
                strength = moveMagnitude * np.linalg.norm([direction[axis] for axis in "xyz"])
                if strength >= ENOUGH_N.get(thing.split("|")[0], np.inf) * 0.999:
                    self.moved[thing] += 4
                return {"didHandTouchSomething": True, "objectId": thing, "armsLength": float(at)}
        wall = "not a sim object, a structure was touched"
        return {"didHandTouchSomething": True, "objectId": wall, "armsLength": float(at)}

    def _where(self, thing):
        top, left, height, width = THINGS[thing][:4]
        inside = np.zeros((SIZE, SIZE), bool)
        inside[top : top + height, left + self.moved[thing] : left + self.moved[thing] + width] = True
        return inside

    def _ray(self):
        away = (np.arange(SIZE) - (SIZE - 1) / 2) / (SIZE / 2)
        return np.sqrt(1 + away[:, None] ** 2 + away**2)

    def _planar(self):
        depth = np.full((SIZE, SIZE), WALL_M)
        for thing, (*_, at, _mass, _moves, _picks, _colour) in THINGS.items():
            depth[self._where(thing)] = at
        return depth

    def _event(self, answer, succeeded):
        frame = np.full((SIZE, SIZE, 3), (120, 130, 140), np.uint8)
        for thing in THINGS:
            frame[self._where(thing)] = THINGS[thing][-1]
        objects = [
            {
                "objectId": thing,
                "objectType": thing.split("|")[0],
                "mass": mass,
                "moveable": moves,
                "pickupable": picks,
                "visible": bool(self._where(thing).any()),
            }
            for thing, (*_, mass, moves, picks, _colour) in THINGS.items()
        ]
        metadata = {
            "objects": objects,
            "actionReturn": answer,
            "lastActionSuccess": succeeded,
            "errorMessage": "" if succeeded else "it collides with Chair",
            "errorCode": "",
        }
        masks = {thing: self._where(thing) for thing in THINGS if self._where(thing).any()}
        # The simulator's buffers start at the bottom: what comes is a view with its rows backwards.
        upside_down = np.ascontiguousarray(frame[::-1])[::-1]
        depth = np.ascontiguousarray((self._planar() + NEAR_M).astype(np.float32)[::-1])[::-1]
        return Event(upside_down, depth, masks, metadata)


def install(monkeypatch):
    """Put the stand-in where `import ai2thor.controller` finds it."""
    modules = {name: types.ModuleType(name) for name in ("ai2thor", "ai2thor.controller", "ai2thor.platform")}
    modules["ai2thor.controller"].Controller = Controller
    modules["ai2thor.platform"].CloudRendering = type("CloudRendering", (), {})
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name, value in {
        "started": [],
        "refuses": "",
        "crashes_on": "",
        "cannot_start": "",
        "nowhere": False,
    }.items():
        monkeypatch.setattr(Controller, name, value)
