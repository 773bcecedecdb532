"""What runs beside Caltech's simulator: `acnportal` needs Python 3.11, so nothing here may need a newer one."""
