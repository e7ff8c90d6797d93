"""The office of `workbench` in pandas: an independent reading of its rules.

Where the Rust environment keeps changes beside shared rows and parses dates itself, this works on data frames as
pandas has them. Rollouts are random calls, right and wrong; expected is the text of each answer, and the reward of
the calls against a variation of themselves. One folder uses the tables that ship, one its own, with odd cells.

Left out is what pandas itself does not define: lists as ids, whose lengths may happen to fit.

Usage: workbench.py SEED ROWS FOLDER
"""
# Requires: pandas==2.3.2 numpy==2.3.2 python-dateutil==2.9.0.post0

import csv
import json
import math
import os
import random
import re
import sys
import warnings

import pandas as pd

warnings.simplefilter("ignore")
NOW = "2023-11-30 23:59:00"
CALLS = 8
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../environments/data/workbench")
FILES = {"emails": "emails.csv", "events": "calendar_events.csv", "visits": "analytics_data.csv", "tasks": "project_tasks.csv",
         "customers": "customer_relationship_manager_data.csv", "people": "email_addresses.csv"}


def load(folder):
    tables = {name: pd.read_csv(os.path.join(folder, file), dtype=str) for name, file in FILES.items() if name != "people"}
    tables["people"] = pd.read_csv(os.path.join(folder, FILES["people"]), dtype=str, header=None, names=["address"])
    tables["visits"]["user_engaged"] = tables["visits"]["user_engaged"] == "True"
    return tables


def rows_of(frame):
    return frame.to_dict(orient="records")


def page_of(rows, titles, page, size):
    total = len(rows)
    pages = (total + size - 1) // size
    page = min(max(1, page), pages)
    first = (page - 1) * size
    shown = rows[first:min(first + size, total)]
    return {titles[0]: shown, "pagination": {titles[1]: total, "page": page, "page_size": size, "total_pages": pages}}


class CompanyDirectoryTool:
    def __init__(self, tables):
        self.people = tables["people"]

    def find_email_address(self, name=""):
        if name == "":
            return "Name not provided."
        name = name.lower()
        return self.people[self.people["address"].str.contains(name, case=False)]["address"].tolist()


class EmailTool:
    def __init__(self, tables):
        self.table = tables["emails"].copy()

    def get_email_information_by_id(self, email_id=None, field=None):
        if not email_id:
            return "Email ID not provided."
        if not field:
            return "Field not provided."
        found = rows_of(self.table[self.table["email_id"] == email_id])
        if not found:
            return "Email not found."
        if field not in found[0]:
            return f"Field '{field}' not found. Available fields: {', '.join(self.table.columns)}"
        return {field: found[0][field]}

    def search_emails(self, query="", date_min=None, date_max=None, page=1, page_size=5):
        try:
            words = query.lower().split()
            text = [f"{row['subject']} {row['body']} {row['sender/recipient']}".lower() for row in rows_of(self.table)]
            found = self.table[[all(word in one for word in words) for one in text]]
            found = rows_of(found.sort_values("sent_datetime", ascending=False))
            day = lambda text: pd.Timestamp(text).date()
            if date_min:
                found = [row for row in found if day(row["sent_datetime"]) >= day(date_min)]
            if date_max:
                found = [row for row in found if day(row["sent_datetime"]) <= day(date_max)]
            if not found:
                return "No emails found."
            return page_of(found, ("emails", "total_emails"), page, page_size)
        except Exception as error:
            return f"Error searching emails: {error}"

    def send_email(self, recipient=None, subject=None, body=None):
        if not recipient or not subject or not body:
            return "Recipient, subject, or body not provided."
        if "@" not in recipient or "." not in recipient:
            return "Invalid recipient email address."
        recipient = recipient.lower()
        number = int(self.table["email_id"].max()) + 1
        row = {"email_id": str(number), "inbox/outbox": "outbox", "sender/recipient": recipient, "subject": subject,
               "sent_datetime": NOW, "body": body}
        self.table = pd.concat([self.table, pd.DataFrame([row])], ignore_index=True)
        return "Email sent successfully."

    def delete_email(self, email_id=None):
        if not email_id:
            return "Email ID not provided."
        if email_id not in self.table["email_id"].values:
            return "Email not found."
        self.table = self.table[self.table["email_id"] != email_id]
        return "Email deleted successfully."

    def forward_email(self, email_id=None, recipient=None):
        if not email_id or not recipient:
            return "Email ID or recipient not provided."
        if "@" not in recipient or "." not in recipient:
            return "Invalid recipient email address."
        found = rows_of(self.table[self.table["email_id"] == email_id])
        if not found:
            return "Email not found."
        answer = self.send_email(recipient, f"FW: {found[0]['subject']}", found[0]["body"])
        return answer if "Error" in answer or "Invalid" in answer else "Email forwarded successfully."

    def reply_email(self, email_id=None, body=None):
        if not email_id or not body:
            return "Email ID or body not provided."
        found = rows_of(self.table[self.table["email_id"] == email_id])
        if not found:
            return "Email not found."
        answer = self.send_email(found[0]["sender/recipient"], f"RE: {found[0]['subject']}", body)
        return answer if "Error" in answer or "Invalid" in answer else "Email replied successfully."


class CalendarTool:
    CHANGEABLE = ["event_name", "participant_email", "event_start", "duration"]

    def __init__(self, tables):
        self.table = tables["events"].copy()

    def is_id(self, text):
        return isinstance(text, str) and len(text) == 8 and all(re.fullmatch(r"\d", one) for one in text)

    def has(self, event_id):
        return event_id in self.table["event_id"].values

    def wrong(self, event_start, duration):
        if event_start is not None:
            try:
                pd.Timestamp(event_start)
            except ValueError:
                return "Invalid event_start format. Expected YYYY-MM-DD HH:MM:SS."
        if duration is not None:
            try:
                minutes = int(duration)
            except ValueError:
                return "Invalid duration format. Expected a number of minutes."
            if minutes <= 0:
                return "Duration must be a positive number of minutes."
        return None

    def get_event_information_by_id(self, event_id=None, field=None):
        if not event_id:
            return "Event ID not provided."
        if not field:
            return "Field not provided."
        if not self.is_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        if field not in list(self.table.columns):
            return f"Invalid field. Available fields are: {', '.join(self.table.columns)}"
        found = rows_of(self.table[self.table["event_id"] == event_id])
        return {field: found[0][field]} if found else "Event not found."

    def search_events(self, query="", time_min=None, time_max=None, page=1, page_size=5):
        bounds = {"time_min": time_min, "time_max": time_max}
        for name, bound in bounds.items():
            if bound:
                try:
                    bounds[name] = pd.Timestamp(bound)
                except ValueError:
                    return f"Invalid {name} format. Expected YYYY-MM-DD HH:MM:SS."
        contains = lambda column: self.table[column].str.contains(query, case=False)
        found = rows_of(self.table[contains("event_name") | contains("participant_email")])
        start = lambda row: pd.Timestamp(row["event_start"])
        if time_min:
            found = [row for row in found if start(row) >= bounds["time_min"]]
        if time_max:
            found = [row for row in found if start(row) <= bounds["time_max"]]
        if not found:
            return "No events found."
        found.sort(key=start, reverse=True)
        return page_of(found, ("events", "total_events"), page, page_size)

    def create_event(self, event_name=None, participant_email=None, event_start=None, duration=None):
        given = {"Event name": event_name, "Participant email": participant_email, "Event start": event_start,
                 "Event duration": duration}
        for title, value in given.items():
            if not value:
                return f"{title} not provided."
        wrong = self.wrong(event_start, duration)
        if wrong:
            return wrong
        participant_email = participant_email.lower()
        event_id = str(int(self.table["event_id"].max()) + 1).zfill(8)
        row = {"event_id": event_id, "event_name": event_name, "participant_email": participant_email,
               "event_start": event_start, "duration": duration}
        self.table = pd.concat([self.table, pd.DataFrame([row])])
        return event_id

    def delete_event(self, event_id=None):
        if not event_id:
            return "Event ID not provided."
        if not self.is_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        if not self.has(event_id):
            return "Event not found."
        self.table = self.table[self.table["event_id"] != event_id]
        return "Event deleted successfully."

    def update_event(self, event_id=None, field=None, new_value=None):
        if not event_id or not field or not new_value:
            return "Event ID, field, or new value not provided."
        if not self.is_id(event_id):
            return "Invalid event ID format. Expected 8-digit ID."
        if field not in self.CHANGEABLE:
            return f"Invalid field. Available fields are: {', '.join(self.CHANGEABLE)}"
        wrong = self.wrong(new_value if field == "event_start" else None, new_value if field == "duration" else None)
        if wrong:
            return wrong
        if not self.has(event_id):
            return "Event not found."
        if field == "participant_email":
            new_value = new_value.lower()
        put(self.table, self.table["event_id"] == event_id, field, new_value)
        return "Event updated successfully."


def put(table, where, field, value):
    """Labels may occur twice, so rows are named by place."""
    labels = table.index
    table.index = range(len(table))
    try:
        table.loc[where.values, field] = value
    finally:
        table.index = labels


class AnalyticsTool:
    VALUES = ["total_visits", "session_duration_seconds", "user_engaged", "visits_direct", "visits_referral",
              "visits_search_engine", "visits_social_media"]

    def __init__(self, tables):
        self.table = tables["visits"].copy()
        self.plots = pd.DataFrame(columns=["file_path"])

    def between(self, time_min, time_max):
        found = self.table
        if time_min:
            found = found[found["date_of_visit"] >= time_min]
        if time_max:
            found = found[found["date_of_visit"] <= time_max]
        return found

    def get_visitor_information_by_id(self, visitor_id=None):
        if not visitor_id:
            return "Visitor ID not provided."
        return rows_of(self.table[self.table["visitor_id"] == visitor_id]) or "Visitor not found."

    def create_plot(self, time_min=None, time_max=None, value_to_plot=None, plot_type=None):
        if not time_min:
            return "Start date not provided."
        if not time_max:
            return "End date not provided."
        if value_to_plot not in self.VALUES:
            return "Value to plot must be one of " + ", ".join(f"'{value}'" for value in self.VALUES)
        if plot_type not in ["bar", "line", "scatter", "histogram"]:
            return "Plot type must be one of 'bar', 'line', 'scatter', or 'histogram'"
        path = f"plots/{time_min}_{time_max}_{value_to_plot}_{plot_type}.png"
        self.plots.loc[len(self.plots)] = [path]
        return path

    def total_visits_count(self, time_min=None, time_max=None):
        return self.between(time_min, time_max).groupby("date_of_visit").size().to_dict()

    def engaged_users_count(self, time_min=None, time_max=None):
        found = self.between(time_min, time_max).copy()
        found["user_engaged"] = found["user_engaged"].astype(bool).astype(int)
        return found.groupby("date_of_visit")["user_engaged"].sum().to_dict()

    def traffic_source_count(self, time_min=None, time_max=None, traffic_source=None):
        found = self.between(time_min, time_max).copy()
        if not traffic_source:
            return found.groupby("date_of_visit").size().to_dict()
        found["hit"] = (found["traffic_source"] == traffic_source).astype(int)
        return found.groupby("date_of_visit")["hit"].sum().to_dict()

    def get_average_session_duration(self, time_min=None, time_max=None):
        found = self.between(time_min, time_max)
        if time_min or time_max:
            found = found.copy()
        found["session_duration_seconds"] = found["session_duration_seconds"].astype(float)
        return found.groupby("date_of_visit")["session_duration_seconds"].mean().to_dict()


class ProjectManagementTool:
    LISTS = ["Backlog", "In Progress", "In Review", "Completed"]
    BOARDS = ["Back end", "Front end", "Design"]

    def __init__(self, tables):
        self.table = tables["tasks"].copy()

    def wrong(self, field, value):
        if field == "assigned_to_email" and value not in self.table["assigned_to_email"].unique():
            return "Assignee email not valid. Please choose from the list of team members."
        for name, title, known in (("list_name", "List", self.LISTS), ("board", "Board", self.BOARDS)):
            if field == name and value not in known:
                return f"{title} not valid. Please choose from: " + ", ".join(f"'{one}'" for one in known) + "."
        return None

    def get_task_information_by_id(self, task_id=None, field=None):
        if not task_id:
            return "Task ID not provided."
        if not field:
            return "Field not provided."
        found = rows_of(self.table[self.table["task_id"] == task_id])
        if not found:
            return "Task not found."
        return {field: found[0][field]} if field in found[0] else "Field not found."

    def search_tasks(self, task_name=None, assigned_to_email=None, list_name=None, due_date=None, board=None):
        given = {"task_name": task_name, "assigned_to_email": assigned_to_email, "list_name": list_name, "due_date": due_date,
                 "board": board}
        if not any(given.values()):
            return "No search parameters provided."
        if assigned_to_email and not re.match(r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$", assigned_to_email):
            return "Invalid email format for assigned_to_email."
        found = self.table
        for column, value in given.items():
            if value and column == "assigned_to_email":
                found = found[found[column].str.lower() == value.lower()]
            elif value:
                found = found[found[column].str.contains(value, case=False)]
        return rows_of(found)

    def create_task(self, task_name=None, assigned_to_email=None, list_name=None, due_date=None, board=None):
        if not (task_name and assigned_to_email and list_name and due_date and board):
            return "Missing task details."
        assigned_to_email = assigned_to_email.lower()
        for field, value in (("assigned_to_email", assigned_to_email), ("list_name", list_name), ("board", board)):
            wrong = self.wrong(field, value)
            if wrong:
                return wrong
        task_id = str(int(self.table["task_id"].max()) + 1).zfill(8)
        row = {"task_id": task_id, "task_name": task_name, "assigned_to_email": assigned_to_email, "list_name": list_name,
               "due_date": due_date, "board": board}
        self.table = pd.concat([self.table, pd.DataFrame([row])], ignore_index=True)
        return task_id

    def delete_task(self, task_id=None):
        if not task_id:
            return "Task ID not provided."
        if task_id not in self.table["task_id"].values:
            return "Task not found."
        self.table = self.table[self.table["task_id"] != task_id]
        return "Task deleted successfully."

    def update_task(self, task_id=None, field=None, new_value=None):
        if not task_id or not field or not new_value:
            return "Task ID, field, or new value not provided."
        if field == "assigned_to_email":
            new_value = new_value.lower()
        wrong = self.wrong(field, new_value)
        if wrong:
            return wrong
        if task_id not in self.table["task_id"].values:
            return "Task not found."
        if field not in list(self.table.columns):
            return "Field not valid."
        put(self.table, self.table["task_id"] == task_id, field, new_value)
        return "Task updated successfully."


class CustomerRelationshipManagerTool:
    STATUSES = ["Qualified", "Won", "Lost", "Lead", "Proposal"]
    INTERESTS = ["Software", "Hardware", "Services", "Consulting", "Training"]
    FIELDS = ["customer_name", "assigned_to_email", "customer_email", "customer_phone", "last_contact_date", "product_interest",
              "status", "notes", "follow_up_by"]

    def __init__(self, tables):
        self.table = tables["customers"].copy()

    def search_customers(self, customer_name=None, customer_email=None, product_interest=None, status=None, assigned_to_email=None,
                         last_contact_date_min=None, last_contact_date_max=None, follow_up_by_min=None, follow_up_by_max=None,
                         page=1, page_size=5):
        patterns = {"customer_name": customer_name, "customer_email": customer_email, "product_interest": product_interest,
                    "status": status, "assigned_to_email": assigned_to_email}
        bounds = [("last_contact_date", ">=", last_contact_date_min), ("last_contact_date", "<=", last_contact_date_max),
                  ("follow_up_by", ">=", follow_up_by_min), ("follow_up_by", "<=", follow_up_by_max)]
        if not any(patterns.values()) and not any(bound for _, _, bound in bounds):
            return "No search parameters provided. Please provide at least one parameter."
        found = self.table
        for column, pattern in patterns.items():
            if pattern:
                found = found[found[column].str.contains(pattern, case=False)]
        for column, operator, bound in bounds:
            if bound:
                found = found[found[column] >= bound] if operator == ">=" else found[found[column] <= bound]
        found = rows_of(found)
        return page_of(found, ("customers", "total_customers"), page, page_size) if found else "No customers found."

    def update_customer(self, customer_id=None, field=None, new_value=None):
        if not customer_id or not field or not new_value:
            return "Customer ID, field, or new value not provided."
        choose = lambda title, known: f"{title} not valid. Please choose from: " + ", ".join(f"'{one}'" for one in known)
        if field == "status" and new_value not in self.STATUSES:
            return choose("Status", self.STATUSES)
        if field == "product_interest" and new_value not in self.INTERESTS:
            return choose("Product interest", self.INTERESTS)
        if field in ("customer_email", "assigned_to_email"):
            new_value = new_value.lower()
        if customer_id not in self.table["customer_id"].values:
            return "Customer not found."
        if field not in list(self.table.columns):
            return choose("Field", self.FIELDS)
        put(self.table, self.table["customer_id"] == customer_id, field, new_value)
        return "Customer updated successfully."

    def add_customer(self, customer_name=None, assigned_to_email=None, status=None, customer_email=None, customer_phone=None,
                     last_contact_date=None, product_interest=None, notes="", follow_up_by=None):
        if not (customer_name and assigned_to_email and status):
            return "Please provide all required fields: customer_name, assigned_to_email, status."
        assigned_to_email = assigned_to_email.lower()
        if customer_email:
            customer_email = customer_email.lower()
        customer_id = str(int(self.table["customer_id"].max()) + 1).zfill(8)
        row = {"customer_id": customer_id, "assigned_to_email": assigned_to_email, "customer_name": customer_name,
               "customer_email": customer_email, "customer_phone": customer_phone, "last_contact_date": last_contact_date,
               "product_interest": product_interest, "status": status, "follow_up_by": follow_up_by, "notes": notes}
        self.table = pd.concat([self.table, pd.DataFrame([row])], ignore_index=True)
        return customer_id

    def delete_customer(self, customer_id=None):
        if not customer_id:
            return "Customer ID not provided."
        if customer_id not in self.table["customer_id"].values:
            return "Customer not found."
        self.table = self.table[self.table["customer_id"] != customer_id]
        return "Customer deleted successfully."


TOOLKITS = {"company_directory": CompanyDirectoryTool, "email": EmailTool, "calendar": CalendarTool, "analytics": AnalyticsTool,
            "project_management": ProjectManagementTool, "customer_relationship_manager": CustomerRelationshipManagerTool}


class World:
    def __init__(self, tables):
        self.toolkits = {prefix: toolkit(tables) for prefix, toolkit in TOOLKITS.items()}

    def call(self, name, arguments):
        for prefix, toolkit in self.toolkits.items():
            if name.startswith(prefix + "_") and hasattr(toolkit, name[len(prefix) + 1:]):
                return getattr(toolkit, name[len(prefix) + 1:])(**arguments)
        raise KeyError(name)

    def answer(self, name, arguments):
        try:
            output = self.call(name, {key: value for key, value in arguments.items() if value is not None})
        except Exception as error:
            output = f"Error executing tool '{name}': {error}"
        return json.dumps({"output": plain(output)}, ensure_ascii=False, separators=(",", ":"))

    def replay(self, calls):
        for name, arguments in calls:
            try:
                self.call(name, arguments)
            except Exception:
                pass

    def state(self):
        tables = [self.toolkits[name].table for name in ("calendar", "email", "project_management", "customer_relationship_manager")]
        return [folded(table) for table in tables + [self.toolkits["analytics"].plots]]


def folded(table):
    table = table.copy()
    for column in table.columns:
        if column not in ("status", "list_name", "board"):
            table[column] = table[column].str.lower()
    return table


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


DATES = ["2023-11-30", "2023-11-15", "2023-10-02", "2023-12-01", "2023-11-30 10:00:00", "2023-11-30T14:30:00", "2023-11-15 9:30",
         "2023/11/20", "20231120", "11/20/2023", "20/11/2023", "Nov 20, 2023", "20 November 2023", "November 20th 2023 3pm", "2023-11",
         "2023", "Dec 2023", "2023Q4", "2023-11-20T10:00:00Z", "2023-11-20 10:00:00+02:00", "2023-11-20 10:00 UTC", "2023-11-20 10:00 EST",
         "Monday", "tomorrow", "next week", "garbage", "2023-99-99", "2023-02-30", "2023-11-31", "25:00", "10:30", "YYYY-MM-DD", "nan", "NaT",
         "0", "5", "a", "12.11.2023", "2023-11-20 2:30 PM", "2023-11-20 14:30:15.5", "2023-11-20 24:00:00", "20-Nov-2023", "Nov-20-2023",
         "2023-W47", "1701388800", "1701388800000", "2023-11-20 at 10am", "today at 5", "20231120T101500", "2023 11 20", "Thu Nov 30 2023",
         "30th of November 2023", "2023-11-20 10h30m", "23-11-20", "11-20-23", "2023-11-20 12am", "2023-11-20 13pm", "2023-1-5", "99/1/1",
         1701388800000000000, 20231120, 1.5, True, ["2023-11-20"], {"a": 1}, 10**20, "", None, "2023-11-20 10:00:00 GMT+3",
         "2023-11-20 10:00:00 -0300", "2023-11-20 10:00 (now)", "Sept 5 2023", "5 Sep", "2023-11-20T", "2023-11-20 ", " 2023-11-20", "2023.11.20"]
DATE_PARTS = ["2023", "23", "1", "5", "12", "13", "31", "0", "20231201", "2023-12-01", "12/31/2023", "10:30", "9:05:07", "24:00", "1.5", "10h", "30m",
              "Jan", "december", "Mon", "am", "PM", "T", "Z", "UTC", "EST", "+", "-", "+0530", "-03:00", "of", "at", "st", "x", "4Q", ".", ","]
ODD = [0, 5, 7.5, True, False, None, "", [], ["x"], {"k": "v"}, "é", "x" * 30, ["a", "b"], float("nan")]
PATTERNS = ["a", "team|review", "^s", "e$", ".", "", "(", "[a-", r"\d+", "a.b", "(?i)X", "*", "İ", "s+", r"\w+@", "o{2}", "(a)", "i.*e", "ß", " "]
LISTS = ProjectManagementTool.LISTS + ["backlog", "Done"]
BOARDS = ProjectManagementTool.BOARDS + ["design"]
STATUSES = CustomerRelationshipManagerTool.STATUSES + ["lead", "Closed"]
INTERESTS = CustomerRelationshipManagerTool.INTERESTS + ["software"]


class Maker:
    """Makes calls, for the tables that there are."""

    def __init__(self, chance, tables):
        self.chance, self.tables = chance, tables
        self.people = tables["people"]["address"].tolist()
        self.made = {"email_id": ["500"], "event_id": [], "task_id": [], "customer_id": []}

    def pick(self, items):
        return self.chance.choice(items)

    def often(self, share):
        return self.chance.random() < share

    def cell(self, table, column):
        values = self.tables[table][column].dropna().tolist()
        return self.pick(values)

    def id(self, table, column):
        number = lambda id: str(int(id) + self.chance.randint(1, 3)).zfill(8)
        largest = self.tables[table][column].max()
        few = sorted(self.tables[table][column].tolist())[:6]
        return self.pick([self.cell(table, column), self.pick(few), self.pick(few), number(largest), largest, "99999999", "7"])

    def words(self, table, columns):
        text = str(self.cell(table, self.pick(columns)))
        parts = text.split()
        return self.pick([text, self.pick(parts) if parts else text, text[:4], text.upper()])

    def pattern(self, table, column):
        return self.pick(PATTERNS) if self.often(0.3) else self.words(table, [column])

    def date(self):
        if self.often(0.15):
            return "".join(self.pick(DATE_PARTS) + self.pick(["", " ", " ", "-", "/", ", "]) for _ in range(self.chance.randint(1, 5)))
        return self.pick(DATES) if self.often(0.6) else f"2023-{self.chance.randint(9, 12)}-{self.chance.randint(1, 28):02}"

    def address(self):
        return self.pick([self.pick(self.people), self.pick(self.people).upper(), "new.one@mail.example", "nobody", "@."])

    def spoil(self, arguments):
        for name in list(arguments):
            if self.often(0.05):
                arguments[name] = self.pick(ODD)
            elif self.often(0.06):
                del arguments[name]
        if self.often(0.02):
            arguments[self.pick(["limit", "self", "é", "cc"])] = 1
        return {name: value for name, value in arguments.items() if not (name.endswith("_id") and isinstance(value, list))}

    def page(self, arguments):
        if self.often(0.4):
            arguments["page"] = self.pick([1, 2, 3, 99, 0, -4, "1", 2.0, True])
        if self.often(0.4):
            arguments["page_size"] = self.pick([1, 2, 10, 50, 500, 0, -3, "5", 5.0, 10**30])
        return arguments

    def some(self, arguments, share=0.35):
        return {name: value for name, value in arguments.items() if self.often(share)}

    def call(self):
        name = self.pick(list(CALLS_OF))
        return name, self.spoil(CALLS_OF[name](self))


def fields(frame, more=("nope",)):
    return lambda make: make.pick(list(make.tables[frame].columns) + list(more))


def task_change(make):
    field = fields("tasks")(make)
    values = {"assigned_to_email": make.address, "list_name": lambda: make.pick(LISTS), "board": lambda: make.pick(BOARDS),
              "task_id": lambda: make.pick(["00000900", "zz", "5", make.id("tasks", "task_id")]), "due_date": make.date}
    value = values.get(field, lambda: make.words("tasks", ["task_name"]))()
    return {"task_id": make.id("tasks", "task_id"), "field": field, "new_value": value}


def customer_change(make):
    field = fields("customers")(make)
    values = {"assigned_to_email": make.address, "customer_email": make.address, "status": lambda: make.pick(STATUSES),
              "product_interest": lambda: make.pick(INTERESTS), "last_contact_date": make.date, "follow_up_by": make.date,
              "customer_id": lambda: make.pick(["00000900", "5", "q1"])}
    value = values.get(field, lambda: make.words("customers", ["customer_name", "notes"]))()
    return {"customer_id": make.id("customers", "customer_id"), "field": field, "new_value": value}


def event_change(make):
    field = fields("events")(make)
    values = {"participant_email": make.address, "event_start": make.date, "duration": lambda: duration(make)}
    value = values.get(field, lambda: make.words("events", ["event_name"]))()
    return {"event_id": make.id("events", "event_id"), "field": field, "new_value": value}


def duration(make):
    return make.pick(["30", "60", 45, "1_0", " 30 ", "+5", 30.7, "0", "-5", "half", 0.5, "٣٠", [30], "1e2", "9" * 5000])


def span(make):
    return make.some({"time_min": make.date(), "time_max": make.date()}, 0.6)


CALLS_OF = {
    "company_directory_find_email_address": lambda make: {"name": make.pattern("people", "address")},
    "email_get_email_information_by_id": lambda make: {"email_id": make.id("emails", "email_id"), "field": fields("emails")(make)},
    "email_search_emails": lambda make: make.page(make.some(
        {"query": make.words("emails", ["subject", "body", "sender/recipient"]), "date_min": make.date(), "date_max": make.date()}, 0.5)),
    "email_send_email": lambda make: {"recipient": make.address(), "subject": make.words("emails", ["subject"]), "body": "Hello"},
    "email_delete_email": lambda make: {"email_id": make.id("emails", "email_id")},
    "email_forward_email": lambda make: {"email_id": make.id("emails", "email_id"), "recipient": make.address()},
    "email_reply_email": lambda make: {"email_id": make.id("emails", "email_id"), "body": "Thanks"},
    "calendar_get_event_information_by_id": lambda make: {"event_id": make.id("events", "event_id"), "field": fields("events")(make)},
    "calendar_search_events": lambda make: make.page(make.some(
        {"query": make.pattern("events", make.pick(["event_name", "participant_email"])), "time_min": make.date(), "time_max": make.date()})),
    "calendar_create_event": lambda make: {"event_name": make.words("events", ["event_name"]), "participant_email": make.address(),
                                           "event_start": make.date(), "duration": duration(make)},
    "calendar_delete_event": lambda make: {"event_id": make.id("events", "event_id")},
    "calendar_update_event": event_change,
    "analytics_get_visitor_information_by_id": lambda make: {"visitor_id": make.cell("visits", "visitor_id")},
    "analytics_create_plot": lambda make: {"time_min": make.date(), "time_max": make.date(), "value_to_plot": make.pick(AnalyticsTool.VALUES),
                                           "plot_type": make.pick(["bar", "line", "pie"])},
    "analytics_total_visits_count": span,
    "analytics_engaged_users_count": span,
    "analytics_traffic_source_count": lambda make: span(make) | make.some({"traffic_source": make.pick(["direct", "referral", "mail", "Direct"])}, 0.8),
    "analytics_get_average_session_duration": span,
    "project_management_get_task_information_by_id": lambda make: {"task_id": make.id("tasks", "task_id"), "field": fields("tasks")(make)},
    "project_management_search_tasks": lambda make: make.some(
        {"task_name": make.pattern("tasks", "task_name"), "assigned_to_email": make.address(), "list_name": make.pattern("tasks", "list_name"),
         "due_date": make.pattern("tasks", "due_date"), "board": make.pattern("tasks", "board")}),
    "project_management_create_task": lambda make: {"task_name": "New task", "assigned_to_email": make.cell("tasks", "assigned_to_email"),
                                                    "list_name": make.pick(LISTS), "due_date": make.date(), "board": make.pick(BOARDS)},
    "project_management_delete_task": lambda make: {"task_id": make.id("tasks", "task_id")},
    "project_management_update_task": task_change,
    "customer_relationship_manager_search_customers": lambda make: make.page(make.some(
        {"customer_name": make.pattern("customers", "customer_name"), "customer_email": make.pattern("customers", "customer_email"),
         "product_interest": make.pattern("customers", "product_interest"), "status": make.pattern("customers", "status"),
         "assigned_to_email": make.pattern("customers", "assigned_to_email"), "last_contact_date_min": make.date(),
         "last_contact_date_max": make.date(), "follow_up_by_min": make.date(), "follow_up_by_max": make.date()}, 0.2)),
    "customer_relationship_manager_update_customer": customer_change,
    "customer_relationship_manager_add_customer": lambda make: {
        "customer_name": make.words("customers", ["customer_name"]), "assigned_to_email": make.address(), "status": make.pick(STATUSES)} | make.some(
        {"customer_email": make.address(), "customer_phone": "555-1", "last_contact_date": make.date(), "product_interest": make.pick(INTERESTS),
         "notes": make.pick(["", "Called.", None]), "follow_up_by": make.date()}, 0.5),
    "customer_relationship_manager_delete_customer": lambda make: {"customer_id": make.id("customers", "customer_id")},
    "email_read_all": lambda make: {},
}
CHANGES = [name for name in CALLS_OF if any(word in name for word in ("send", "delete", "forward", "reply", "create", "update", "add"))]


def odd_tables(chance, folder):
    """Few rows, with what real tables do not have: ties, capitals, other scripts, missing cells."""
    os.makedirs(folder)
    people = ["Ann.Lee@atlas.example", "bob.o@atlas.example", "çelik.ünal@atlas.example", "dee.dee@atlas.example"]

    def write(file, header, rows):
        with open(os.path.join(folder, FILES[file]), "w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(([header] if header else []) + rows)

    day = lambda: f"2023-{chance.randint(9, 12):02}-{chance.randint(1, 28):02}"
    pick = chance.choice
    ids = [f"{number:08}" for number in chance.sample(range(40), 24)]
    subjects = ["Re: Straße", "Budget, again", "Say \"hi\"", "NA", "İzmir trip", "plan.b", "Plan b", "(urgent)", "", "3 team ideas"]
    write("emails", ["email_id", "inbox/outbox", "sender/recipient", "subject", "sent_datetime", "body"],
          [[id, "inbox", pick(people + [""]), pick(subjects), sent, pick(["Dear\\nAll", "see you", "PLAN", "null", "ﬁne"])]
           for id, sent in zip(ids, sorted(f"{day()} 0{chance.randint(8, 9)}:00:00" for _ in ids))])
    write("events", ["event_id", "event_name", "participant_email", "event_start", "duration"],
          [[id, pick(["Sync", "sync", "Team review", "ß-day", "a+b", ""]), pick(people), f"{day()} {pick(['09:00:00', '10:30:00'])}", pick(["30", "60"])]
           for id in ids])
    write("visits", ["date_of_visit", "visitor_id", "page_views", "session_duration_seconds", "traffic_source", "user_engaged"],
          [[f"2023-11-{chance.randint(18, 22)}", f"{chance.randint(0, 9):04}", "1", pick(["4", "0.1", "13", "2.7", "1e3"]), pick(["direct", "referral", ""]),
            pick(["True", "False"])] for _ in range(60)])
    write("tasks", ["task_id", "task_name", "assigned_to_email", "list_name", "due_date", "board"],
          [[id, pick(["Fix it", "fix (it)", "Ship", "N/A"]), pick(people), pick(ProjectManagementTool.LISTS), day(), pick(ProjectManagementTool.BOARDS)]
           for id in ids])
    write("customers",
          ["customer_id", "assigned_to_email", "customer_name", "customer_email", "customer_phone", "last_contact_date", "product_interest", "status",
           "follow_up_by", "notes"],
          [[id, pick(people), pick(["Ada Øst", "Bo Li", "CY RO"]), pick(["a@b", "x.y@z"]), pick(["", "555"]), pick([f"{day()} 23:59:00", ""]),
            pick(INTERESTS), pick(STATUSES), f"{day()} 23:59:00", pick(["", "Called.", "nan"])] for id in ids])
    write("people", None, [[person] for person in people])


def as_call(index, name, arguments):
    return {"type": "function_call", "id": f"fc_{index}", "call_id": f"c{index}", "name": name, "arguments": json.dumps(arguments)}


def vary(make, calls):
    """The calls of the truth: those that were made, or nearly."""
    calls = [(name, arguments) for name, arguments in calls if name in CHANGES and "self" not in arguments
             and set(arguments) <= set(CALLS_ALLOWED[name])]
    kind = make.chance.randint(0, 5)
    if kind == 1 and len(calls) > 1:
        make.chance.shuffle(calls)
    elif kind == 2 and calls:
        calls.pop(make.chance.randrange(len(calls)))
    elif kind == 3 and calls:
        index = make.chance.randrange(len(calls))
        name, arguments = calls[index]
        change = lambda value: value.swapcase() if isinstance(value, str) else value
        calls[index] = (name, {key: change(value) if key not in ("field",) else value for key, value in arguments.items()})
    elif kind == 4:
        name = make.pick(CHANGES)
        calls.append((name, CALLS_OF[name](make)))
    return calls


CALLS_ALLOWED = {
    prefix + "_" + method: getattr(toolkit, method).__code__.co_varnames[1:getattr(toolkit, method).__code__.co_argcount]
    for prefix, toolkit in TOOLKITS.items() for method in dir(toolkit) if method[0] != "_" and callable(getattr(toolkit, method))
}


def make_rows(folder, settings, tables, chance, count):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "settings.json"), "w", encoding="utf-8") as out:
        json.dump(settings, out)
    path = lambda name: open(os.path.join(folder, name), "w", encoding="utf-8")
    make = Maker(chance, tables)
    with path("tasks.jsonl") as tasks, path("rollouts.jsonl") as rollouts, path("gold.jsonl") as gold:
        for _ in range(count):
            world, calls, output = World(tables), [], []
            changes_only = make.often(0.4)
            while len(calls) < CALLS:
                name, arguments = make.call()
                if changes_only and name not in CHANGES:
                    continue
                if any(isinstance(value, float) and math.isnan(value) for value in arguments.values()):
                    continue
                calls.append((name, arguments))
                output.append(as_call(len(calls), name, arguments))
                output.append({"type": "function_call_output", "call_id": f"c{len(calls)}", "output": world.answer(name, arguments)})
            truth = vary(make, calls)
            ours, theirs = World(tables), World(tables)
            ours.replay(calls)
            theirs.replay(truth)
            reward = float(all(one.equals(other) for one, other in zip(ours.state(), theirs.state())))
            truth = [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in truth]
            task = {"responses_create_params": {"input": "?"}, "id": 0, "ground_truth": truth, "category": "", "environment_name": ""}
            last = {"type": "message", "id": "m", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "Done.", "annotations": []}]}
            print(json.dumps(task), file=tasks)
            print(json.dumps({"response": {"id": "r", "output": output + [last]}, "reward": reward}), file=rollouts)
            print(json.dumps({"turns": [[call] for call in output[::2] + [last]]}), file=gold)


def main(seed, rows, folder):
    rollouts = rows // CALLS
    shipped = load(SHIPPED)
    make_rows(os.path.join(folder, "shipped"), {}, shipped, random.Random(f"{seed} shipped"), rollouts // 3)
    data = os.path.join(os.path.abspath(folder), "odd", "tables")
    odd_tables(random.Random(f"{seed} tables"), data)
    make_rows(os.path.join(folder, "odd"), {"data_dir": data}, load(data), random.Random(f"{seed} odd"), rollouts - rollouts // 3)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
