"""The object factory: an object is a function of its category and its seed, and its seed says which split it is in."""

from handsight.worlds.objects.factory import CATEGORIES as CATEGORIES
from handsight.worlds.objects.factory import Object as Object
from handsight.worlds.objects.factory import Split as Split
from handsight.worlds.objects.factory import make_object as make_object
from handsight.worlds.objects.factory import objects_in as objects_in
from handsight.worlds.objects.factory import split_of as split_of
