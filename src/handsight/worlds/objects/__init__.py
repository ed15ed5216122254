"""The object factory: objects are functions of category and seed; the seed tells the split."""

from handsight.worlds.objects.factory import CATEGORIES as CATEGORIES
from handsight.worlds.objects.factory import Object as Object
from handsight.worlds.objects.factory import Split as Split
from handsight.worlds.objects.factory import dress as dress
from handsight.worlds.objects.factory import make_object as make_object
from handsight.worlds.objects.factory import objects_in as objects_in
from handsight.worlds.objects.factory import split_of as split_of
from handsight.worlds.objects.parts import FINISHES_N as FINISHES_N
