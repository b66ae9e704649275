"""What any remote HTTP service needs. Imports no Airflow and knows neither SOPS nor EnOS.

A call is described as data (``calls``), made a method of a client (``methods``), and built by the service itself into
a request (``http``). A transport sends that, within limits (``settings``), blocking (``transport``) or not
(``transport_async``). A failure is put into words (``failures``), raised as one of the service's own errors
(``errors``), and retried where that is safe (``retrying``). The service reads the answer (``answer``,
``reading``).
"""

from __future__ import annotations
