// Which leat this is, and where its interface and the licences are.
import { useEffect, useState } from "preact/hooks";
import { get } from "../base/api";
import type { Info } from "../base/types";

export function Footer() {
  const [info, setInfo] = useState<Info | null>(null);
  useEffect(() => {
    get<Info>("/api/v1/info").then(setInfo, () => {}); // what is wrong, the view above says
  }, []);
  return (
    <footer class="foot">
      <span>
        leat {info?.version ?? ""}
        {info?.broker_address && ` · broker ${info.broker_address}`}
      </span>
      <a href="api/v1/openapi.json">REST API</a>
      <a href="metrics">Metrics</a>
      <a href="licences.txt">Licences</a>
    </footer>
  );
}
