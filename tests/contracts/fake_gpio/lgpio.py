"""A stand-in for lgpio's Python module, as far as gpiozero uses it: lines, owners, edges and PWM, no kernel.

Written from gpiozero's calls; the real library under a real kernel is the rig's business.
"""

import os
from pathlib import Path

Path(os.environ.get("LG_WD", "."), ".lgd-nfy0").touch()  # the real one does so on import, and fails where it cannot

SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 32, 64, 128
RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3

chip_fails = ""
busy: set[int] = set()
lines: dict[int, "Line"] = {}
on_release = lambda gpio, level: None  # noqa: E731  for the test: an output is let go of, at this level


class error(Exception):
    pass


class Line:
    def __init__(self):
        self.output = False
        self.bias = SET_PULL_NONE
        self.driven = None
        self.level = 0
        self.duty = None
        self.callbacks = []

    def electrical(self):
        if self.output:
            return self.duty / 100 if self.duty is not None else float(self.level)
        if self.driven is not None:
            return float(self.driven)
        return float(self.bias == SET_PULL_UP)


def line(gpio):
    return lines.setdefault(gpio, Line())


def wire(gpio, level):
    """Drive a line from outside, for the test."""
    one = line(gpio)
    before = one.electrical()
    one.driven = level
    if not one.output and one.electrical() != before:
        for callback in list(one.callbacks):
            callback.function(0, gpio, int(level), 0)


def gpiochip_open(chip):
    if chip_fails:
        raise error(chip_fails)
    return 0


def gpiochip_close(handle):
    lines.clear()


def _claim(gpio):
    if gpio in busy:
        raise error("GPIO busy")
    return line(gpio)


def gpio_claim_input(handle, gpio, flags=0):
    one = _claim(gpio)
    if one.output:
        on_release(gpio, one.electrical())
    one.output, one.bias, one.duty = False, flags, None


def gpio_claim_output(handle, gpio, level=0, flags=0):
    one = _claim(gpio)
    one.output, one.level, one.duty = True, level, None


def gpio_claim_alert(handle, gpio, edges, flags=0):
    _claim(gpio)


def gpio_free(handle, gpio):
    pass


def gpio_read(handle, gpio):
    return int(line(gpio).electrical())


def gpio_write(handle, gpio, level):
    line(gpio).level = int(level)


def gpio_get_mode(handle, gpio):
    one = line(gpio)
    return 2 if one.output else one.bias


def tx_pwm(handle, gpio, frequency, duty):
    if not frequency:
        on_release(gpio, line(gpio).electrical())
    line(gpio).duty = duty if frequency else None


def gpio_set_debounce_micros(handle, gpio, micros):
    pass


class callback:
    def __init__(self, handle, gpio, edges, function):
        self.gpio, self.function = gpio, function
        line(gpio).callbacks.append(self)

    def cancel(self):
        line(self.gpio).callbacks.remove(self)
