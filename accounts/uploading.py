"""The site that somebody's images go to."""

from __future__ import annotations

from accounts.models import Person, Site
from core.problems import Forbidden, UserError

MAY_SEND = ("technician", "radiologist", "administrator")


def site_for_images(person: Person, code_or_id: str = "") -> Site:
    """The site named, or the only one where this person may send images.

    Raises
    ------
    Forbidden : the person may send images to no site, or not to this one.
    UserError : several sites are possible and none was named.
    """
    sites = list(Site.objects.filter(pk__in=person.sites_as(*MAY_SEND)).order_by("code"))
    if not sites:
        raise Forbidden("may_not_send", "Your role does not allow sending images.")
    if not code_or_id:
        if len(sites) > 1:
            codes = ", ".join(site.code for site in sites)
            raise UserError("site_needed", f"You work at several sites: name one of them as site ({codes}).")
        return sites[0]
    for site in sites:
        if code_or_id in (site.code, str(site.pk)):
            return site
    raise Forbidden("may_not_send", "You may not send images to this site.")
