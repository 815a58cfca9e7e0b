"""Labels of a shop's reviews, inquiries, searches and customers, given by people and by models.

definitions  what is asked         sample     draws the units
store        keeps units, labels   agreement  Cohen's kappa of every two labellers
training     the set to train on
"""

from customers.labels.agreement import Agreement, Kappa, Report, report
from customers.labels.definitions import KEYS, create, task, tasks
from customers.labels.sample import Drawn, draw
from customers.labels.store import LabelStore, forget, person
from customers.labels.training import TrainingLabel, export_csv, training_set
from customers.labels.values import Annotation, Label, Labeller, LabelTask, Unit

__all__ = [
    "KEYS",
    "Agreement",
    "Annotation",
    "Drawn",
    "Kappa",
    "Label",
    "LabelStore",
    "LabelTask",
    "Labeller",
    "Report",
    "TrainingLabel",
    "Unit",
    "create",
    "draw",
    "export_csv",
    "forget",
    "person",
    "report",
    "task",
    "tasks",
    "training_set",
]
