<%-- Where a room is: answers ?room=NAME with street, zip code and city, separated by tabs. --%>
<%@ page contentType="text/plain; charset=UTF-8" trimDirectiveWhitespaces="true"
         import="java.sql.*, javax.naming.InitialContext, javax.sql.DataSource" %>
<%!
  // first returns the columns of the first row, or nothing.
  String[] first(String database, String query, String key) throws Exception {
    DataSource source = (DataSource) new InitialContext().lookup("java:comp/env/jdbc/" + database);
    try (Connection connection = source.getConnection();
         PreparedStatement statement = connection.prepareStatement(query)) {
      statement.setString(1, key);
      try (ResultSet rows = statement.executeQuery()) {
        String[] columns = new String[rows.getMetaData().getColumnCount()];
        if (!rows.next()) return null;
        for (int i = 0; i < columns.length; i++) columns[i] = rows.getString(i + 1);
        return columns;
      }
    }
  }
%>
<%
  String room = request.getParameter("room");
  if (room != null) {
    String[] place = first("rooms", "SELECT street, zipcode FROM room WHERE room = ?", room);
    if (place == null) {
      response.sendError(404, "There is no such room.");
      return;
    }
    String[] city = first("zipcodes", "SELECT city FROM zipcode WHERE zipcode = ?", place[1]);
    out.println(place[0] + "\t" + place[1] + "\t" + (city == null ? "?" : city[0]));
  }
%>
