import "@h5web/app/dist/styles.css";

import { App } from "@h5web/app";
import { H5WasmBufferProvider } from "@h5web/h5wasm";
import { createRoot } from "react-dom/client";

const asked = new URLSearchParams(location.search);
const fetchBytes = async (name) => {
  const answer = await fetch(name);
  return answer.ok ? answer.arrayBuffer() : undefined;
};

createRoot(document.getElementById("root")).render(
  <H5WasmBufferProvider
    filename={asked.get("file")}
    buffer={await fetchBytes(asked.get("file"))}
    getPlugin={(plugin) => fetchBytes(`libH5Z${plugin}.so`)}
  >
    <App initialPath={asked.get("path")} />
  </H5WasmBufferProvider>,
);
