"""What the made-up people say. The same chat of the same contact has always begun with the same words."""

from hashlib import sha256
from typing import NamedTuple


class Line(NamedTuple):
    """Something that was said before the window was first opened."""

    minutes_ago: int
    outgoing: bool
    text: str


DAY = 24 * 60

BEGINNINGS: tuple[tuple[Line, ...], ...] = (
    (
        Line(2 * DAY + 95, outgoing=False, text="Hello! Do you still have the oak dining chairs from your catalogue?"),
        Line(2 * DAY + 88, outgoing=True, text="Good day{name}! Yes, eight of them are in stock."),
        Line(2 * DAY + 85, outgoing=False, text="Great. I would take six. How long does delivery take?"),
        Line(2 * DAY + 79, outgoing=True, text="Two working days within the city, free of charge for six or more."),
        Line(DAY + 42, outgoing=False, text="Perfect. Could you send me an offer?"),
        Line(DAY + 30, outgoing=True, text="It is in your mail. It holds until the end of the month."),
        Line(37, outgoing=False, text="Got it, thank you. I would like to order."),
    ),
    (
        Line(3 * DAY + 210, outgoing=False, text="Hi, a friend recommended you. Do you fit kitchens as well?"),
        Line(3 * DAY + 195, outgoing=True, text="Hello{name}, we do: from measuring to the last screw."),
        Line(3 * DAY + 190, outgoing=False, text="Nice! Mine is about 3.2 by 2.4 metres."),
        Line(DAY + 120, outgoing=True, text="Our fitter could come by on Thursday at 10:00. Would that suit you?"),
        Line(DAY + 64, outgoing=False, text="Thursday is fine"),
        Line(52, outgoing=False, text="One more thing: could he bring samples of the worktops?"),
    ),
    (
        Line(DAY + 300, outgoing=False, text="Hello, is my order on its way?"),
        Line(DAY + 291, outgoing=True, text="Hello{name}! It left the warehouse an hour ago."),
        Line(DAY + 290, outgoing=True, text="The courier will ring you half an hour before he comes."),
        Line(DAY + 20, outgoing=False, text="It has arrived, everything is whole. Thank you!"),
        Line(DAY + 12, outgoing=True, text="I am glad to hear it. Enjoy!"),
        Line(24, outgoing=False, text="I was so happy with it that I need a second one."),
    ),
    (
        Line(4 * DAY + 15, outgoing=True, text="Hello{name}, your yearly service is due this month."),
        Line(4 * DAY + 2, outgoing=False, text="Oh, right. What would it cost?"),
        Line(3 * DAY + 340, outgoing=True, text="The same as last year: 120 € with all the parts."),
        Line(DAY + 75, outgoing=False, text="Agreed. Is there a free evening next week?"),
        Line(DAY + 61, outgoing=True, text="Tuesday at 18:30?"),
        Line(18, outgoing=False, text="Tuesday it is. Please put me down."),
    ),
    (
        Line(
            2 * DAY + 260,
            outgoing=False,
            text="Hello, I saw you at the fair. What was the blue sofa called?",
        ),
        Line(2 * DAY + 244, outgoing=True, text="Hello{name}! You mean the Riviera, a three-seater in linen."),
        Line(DAY + 180, outgoing=False, text="That is the one. Does it come in grey too?"),
        Line(DAY + 171, outgoing=True, text="In light and in dark grey. I can lend you the samples."),
        Line(DAY + 166, outgoing=False, text="Please do, I am in town tomorrow."),
        Line(45, outgoing=False, text="I had a look at them. The dark one, please!"),
    ),
)

ANSWERS = (
    "Thanks for the quick answer!",
    "Sounds good to me.",
    "Let me check, and I will come back to you.",
    "Could you send me the details, please?",
    "Yes, that would be perfect.",
    "All right, agreed.",
    "And what would the price be?",
)


def beginning(*, chat_type: str, name: str) -> tuple[Line, ...]:
    """Tell how a contact's chat has gone so far; on another messenger it went differently."""
    called = f", {name.split(maxsplit=1)[0]}" if name[:1].isalpha() else ""
    lines = BEGINNINGS[(_number(name) + _number(chat_type)) % len(BEGINNINGS)]
    return tuple(line._replace(text=line.text.format(name=called)) for line in lines)


def answer(*, key: str, turn: int) -> str:
    """Tell what the contact says next."""
    return ANSWERS[(_number(key) + turn) % len(ANSWERS)]


def _number(text: str) -> int:
    return sha256(text.encode()).digest()[0]
