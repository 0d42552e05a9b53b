"""A stand-in for RPi.GPIO, as far as gpiozero uses it: channels, edges and PWM, no kernel.

Written from gpiozero's calls; the real library under a real kernel is the rig's business.
"""

BCM = 11
OUT, IN, HARD_PWM, SERIAL, I2C, SPI, UNKNOWN = 0, 1, 43, 40, 42, 41, -1
PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22
RISING, FALLING, BOTH = 31, 32, 33

edges_fail = False
setup_fails = ""
channels: dict[int, "Channel"] = {}
on_release = lambda number, level: None  # noqa: E731  for the test: an output is let go of, at this level


class Channel:
    def __init__(self):
        self.function = IN
        self.pull = PUD_OFF
        self.driven = None
        self.level = 0
        self.pwm = None
        self.callback = None
        self.watched = False

    def electrical(self):
        if self.function == OUT:
            return self.pwm.duty / 100 if self.pwm is not None else float(self.level)
        if self.driven is not None:
            return float(self.driven)
        return float(self.pull == PUD_UP)


def channel(number):
    return channels.setdefault(number, Channel())


def wire(number, level):
    """Drive a channel from outside, for the test."""
    one = channel(number)
    before = one.electrical()
    one.driven = level
    if one.function == IN and one.electrical() != before and one.callback is not None:
        one.callback(number)


def setmode(mode):
    pass


def setwarnings(on):
    pass


def setup(number, function, pull_up_down=PUD_OFF, initial=-1):
    if setup_fails:
        raise RuntimeError(setup_fails)
    one = channel(number)
    one.function, one.pull = function, pull_up_down
    if initial != -1:
        one.level = int(initial)


def cleanup(number=None):
    for each, one in [(each, channel(each)) for each in (list(channels) if number is None else [number])]:
        if one.function == OUT:
            on_release(each, one.electrical())
        one.function, one.pull, one.callback, one.watched = IN, PUD_OFF, None, False


def gpio_function(number):
    return channel(number).function


def input(number):
    return int(channel(number).electrical())


def output(number, value):
    if channel(number).function != OUT:
        raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
    channel(number).level = int(value)


def add_event_detect(number, edge, callback=None, bouncetime=-666):
    if edges_fail or channel(number).watched:
        raise RuntimeError("Failed to add edge detection")
    channel(number).watched = True
    channel(number).callback = callback


def remove_event_detect(number):
    channel(number).watched = False
    channel(number).callback = None


class PWM:
    def __init__(self, number, frequency):
        self.number, self.duty = number, 0.0

    def start(self, duty):
        self.duty = duty
        channel(self.number).pwm = self

    def ChangeDutyCycle(self, duty):
        self.duty = duty

    def ChangeFrequency(self, frequency):
        pass

    def stop(self):
        on_release(self.number, self.duty / 100)
        channel(self.number).pwm = None
        channel(self.number).level = 0
