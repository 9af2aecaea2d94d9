"""The review app: Streamlit pages over the same pairs, votes and verdicts. `judge app` starts it."""
