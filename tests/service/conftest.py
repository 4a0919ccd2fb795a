from doctor_board import healthy

__all__ = ["healthy"]
