"""Decision service: evaluation 教育评估监测."""
