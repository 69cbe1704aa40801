"""The Streamlit pages; they speak HTTP to the advisor's API and nothing else."""
