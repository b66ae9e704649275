"""``SopsFlowBundle``: the flows of a SOPS project as DAGs. For Airflow 3."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.bundles.content import BundleContent, Flow
from airflow_provider_sops.bundles.folder import add_folder, shown_version, update_folder
from airflow_provider_sops.bundles.options import BundleOptions
from airflow_provider_sops.bundles.reading import FlowReading, Reading
from airflow_provider_sops.bundles.store import Latest, VersionStore
from airflow_provider_sops.dag_generator.template_reader import BUSINESS, TemplateFilter
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if not AIRFLOW_V_3_0_PLUS:
    raise ImportError(
        "SopsFlowBundle needs Airflow 3: Airflow 2 has no DAG bundles. Write the flows into files with "
        "`airflow-sops snapshot --all`, and let a DAG file make a SopsDag of each."
    )

from airflow.dag_processing.bundles import base
from airflow.providers.common.compat.sdk import AirflowNotFoundException

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_provider_sops.dag_generator.options import Mode

log = logging.getLogger(__name__)

#: What every bundle of Airflow takes.
_OF_BASE = ("refresh_interval", "version", "view_url_template")


class SopsFlowBundle(base.BaseDagBundle):
    """The flows of a SOPS project as paused DAGs, a ``SopsDag`` for each template.

    A refresh reads the list of templates, and then the templates that were saved since the last refresh or call one
    that was. Any change makes a new version of the bundle. Versions are kept in ``storage_path``: a run uses the
    version that it began with, and its tasks need no SOPS to find it. While SOPS is out of reach, the last version
    stays.

    The id of a DAG is the bundle's name and the template's id, its display name is the template's name. A template that
    cannot become a DAG becomes one that says why. The DAG of a template that was deleted, or that the filter no longer
    accepts, disappears; its runs stay, and no further task of them begins.

    A refresh ends after about 20 seconds, so that the DAG processor can go on with other bundles; if templates remain
    to be read, the next one follows at once.

    :param sops_conn_id: the Airflow connection of type ``sops``, for the refresh and for the tasks.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's.
    :param template_source: ``business`` (default) or ``common``.
    :param template_name: only templates whose name contains this, in any case.
    :param category: only templates of this category, as ``OpsTools``. This or ``template_name`` must be given.
    :param mode: ``"watch"`` (default) or ``"native"``, as of ``SopsDag``.
    :param dag_args: more arguments for each ``SopsDag``, as JSON.
    :param storage_path: where versions are kept: a folder that all machines share, or an address for
        ``ObjectStoragePath``, as ``s3://aws_default@bucket/sops-flows``. Default: a folder of this machine, which is
        enough where scheduler and tasks run on one.
    :param base_args: what each bundle takes: ``name``, ``refresh_interval`` in seconds, ``version``,
        ``view_url_template``.
    :raises SopsInvalidParameterError: an argument is missing or invalid.
    """

    supports_versioning = True

    def __init__(
        self,
        *,
        name: str,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        template_source: str = BUSINESS,
        template_name: str = "",
        category: str = "",
        mode: Mode = "watch",
        dag_args: Mapping[str, Any] | None = None,
        storage_path: str | None = None,
        **base_args: Any,
    ) -> None:
        unknown = sorted(base_args.keys() - set(_OF_BASE))
        if unknown:
            raise SopsInvalidParameterError(
                f"DAG bundle {quoted(name)}: SopsFlowBundle takes no {', '.join(unknown)}",
                advice="Correct its kwargs in [dag_processor] dag_bundle_config_list.",
            )
        super().__init__(name=name, **base_args)
        self._options = BundleOptions(
            bundle=name,
            wanted=TemplateFilter(template_name, category),
            sops_conn_id=sops_conn_id,
            bk_biz_id=bk_biz_id,
            scope=scope,
            template_source=template_source,
            mode=mode,
            dag_args=dag_args or {},
        )
        self._options.check()
        self._store = VersionStore(name, storage_path or str(self.base_dir / "storage"))
        self._interval: int = self.refresh_interval

    @property
    def path(self) -> Path:
        """The folder of the version, or the one that shows the newest version."""
        folder: Path = self.versions_dir / self.version if self.version else self.base_dir / "newest"
        return folder

    def initialize(self) -> None:
        """Let the folder show the version: from the store, or, if there is none yet, from SOPS.

        :raises SopsInvalidParameterError: the version is not in the store.
        :raises ServiceError: there is no version at all yet, and SOPS cannot be read.
        """
        if self.version:
            if shown_version(self.path) is None:
                add_folder(self.path, self._store.version(self.version))
        else:
            with self.lock():
                latest = self._store.latest()
                if latest is None:
                    self._take(None, self._read(None))
                else:
                    self._show(latest.version)
        super().initialize()

    def get_current_version(self) -> Any:
        """Return the version that the folder shows."""
        version = self.version or shown_version(self.path)
        # Since Airflow 3.3; a plain text is deprecated there.
        as_object = getattr(base, "BundleVersion", None)
        return version if version is None or as_object is None else as_object(version)

    def refresh(self) -> None:
        """Let the folder show the flows as they are in SOPS.

        Calls get_template_list, and get_template_info for each changed template. If SOPS cannot be read, the last
        version stays, and the log says why.

        :raises SopsInvalidParameterError: this bundle is of one version.
        """
        if self.version:
            raise SopsInvalidParameterError(f"DAG bundle {quoted(self.name)} of one version cannot be refreshed")
        with self.lock():
            latest = self._store.latest()
            try:
                reading = self._read(latest)
            except (ServiceError, AirflowNotFoundException) as error:
                if latest is None:
                    raise
                log.warning("DAG bundle %s stays as it is, since SOPS cannot be read: %s", self.name, error)
                self._show(latest.version)
            else:
                self._take(latest, reading)

    def _read(self, latest: Latest | None) -> Reading:
        from airflow_provider_sops.hooks.sops import SopsHook

        options, known = self._options, self._known(latest)
        with SopsHook(options.sops_conn_id, bk_biz_id=options.bk_biz_id, scope=options.scope) as hook:
            # The look-up of the connection, which may be slow, takes none of the time for the requests.
            log.debug("DAG bundle %s reads the flows of %s", self.name, hook.connection.transport.root)
            return FlowReading(hook, options, known.records if known else {}, time.time()).read()

    def _known(self, latest: Latest | None) -> Latest | None:
        """Return the newest version if its templates are where this bundle's are."""
        return latest if latest and latest.options.origin == self._options.origin else None

    def _take(self, latest: Latest | None, reading: Reading) -> None:
        """Keep what is new, and show it."""
        known = self._known(latest)
        # For Airflow, 0 means that the next refresh is due.
        self.refresh_interval = 0 if reading.left and not reading.cut_off else self._interval
        if latest and not reading.flows and (latest.options, latest.records) == (self._options, reading.records):
            self._show(latest.version)
            return
        content = self._content(known, reading)
        if latest is None or content.version != latest.version:
            self._store.add(content)
        self._store.name_latest(Latest(content.version, self._options, reading.records))
        self._show(content.version, content)
        log.info(
            "DAG bundle %s: %s flows in version %s; read %s templates in %.1f s, %s remain to be read",
            self.name,
            len(content.flows),
            content.version,
            len(reading.flows),
            reading.seconds,
            reading.left,
        )

    def _content(self, known: Latest | None, reading: Reading) -> BundleContent:
        before = self._store.version(known.version).flows if known else {}
        flows: dict[int, Flow] = {number: before[number] for number in reading.records if number in before}
        for number, flow in reading.flows.items():
            if number not in flows or not flow.makes_the_same_dag_as(flows[number]):
                flows[number] = flow
        return BundleContent(self._options, flows)

    def _show(self, version: str, content: BundleContent | None = None) -> None:
        if shown_version(self.path) != version:
            update_folder(self.path, content or self._store.version(version))
