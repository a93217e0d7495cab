// What stands where there is nothing to show: what it is, why, and what to do about it.
import type { ComponentChildren } from "preact";
import type { ApiError } from "../base/api";
import { Icon, type IconName } from "./icons";

export function Empty({ icon = "none", title, children }: { icon?: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="empty-title">{title}</p>
      {children && <div class="empty-text">{children}</div>}
    </div>
  );
}

export function ErrorNotice({ error, stale }: { error: ApiError; stale?: boolean }) {
  return (
    <div class="notice notice-bad" role="alert">
      <Icon name="fail" />
      <div>
        <p class="notice-title">{error.message}</p>
        {error.hint && <p>{error.hint}</p>}
        {stale && <p>What is shown below is the last that it answered.</p>}
      </div>
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Loading {what} …
    </p>
  );
}
