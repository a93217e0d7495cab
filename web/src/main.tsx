// Starts the page.
import { render } from "preact";
import { App } from "./app";
import { takeToken } from "./base/api";
import { applyTheme } from "./base/theme";
import "./style/app.css";

takeToken();
applyTheme();
const root = document.getElementById("app");
if (root) render(<App />, root);
