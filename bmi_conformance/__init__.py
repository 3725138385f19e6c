"""Conformance checks for any class with the Basic Model Interface (BMI 2.0).

The checks run the model: they step it, set its inputs, compare instances and restore states. From the command line
``pytest --bmi=package:Class --bmi-config=file``; from Python `bmi_conformance.checks`.
"""
