"""The smoke test: proves a registry end to end, as a client sees it, and removes all it made.

``runner`` holds the order of the steps and runs them; each of the other files holds one kind of step.
Nothing here imports MLflow, boto3 or scikit-learn at import time.
"""
